//! How large the C library is.
use crate::figures::Table;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPT: &str = "tests/c/sizes.sh";

/// What `tests/c/sizes.sh` measures.
pub fn sizes() -> Result<Table> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output =
        Command::new(root.join(SCRIPT)).stderr(Stdio::inherit()).output().context("running tests/c/sizes.sh")?;
    ensure!(output.status.success(), "{SCRIPT} failed with {}", output.status);
    table(&String::from_utf8(output.stdout)?)
}

/// How large the libraries are that `tests/android_native.sh` left in `target/native`, if it was run here.
#[cfg(feature = "phone")]
pub fn abis() -> Result<Table> {
    const SOURCES: [&str; 5] =
        ["core/src", "linux/carry/src", "bindings/uniffi/src", "bindings/feed/src", "bindings/jni/src"];
    let root = underpass_interop::device::root();
    let (mut rows, mut old) = (Vec::new(), false);
    for abi in ["arm64-v8a", "armeabi-v7a", "x86_64"] {
        let Ok(file) = std::fs::metadata(root.join(format!("target/native/{abi}/libunderpass_jni.so"))) else {
            continue;
        };
        let built = file.modified()?;
        for sources in SOURCES {
            old |= underpass_interop::device::newest(&root.join(sources))? > built;
        }
        rows.push((abi, file.len() as f64));
    }
    let note = match (rows.is_empty(), old) {
        (true, _) => "`tests/android_native.sh` was not run here: there is nothing to measure.",
        (false, true) => {
            "`libunderpass_jni.so`, stripped, with both doors and the fast backend, as `tests/android_native.sh` left it; \
             sources have changed since."
        }
        (false, false) => {
            "`libunderpass_jni.so`, stripped, with both doors and the fast backend, as `tests/android_native.sh` left it."
        }
    };
    let mut table = Table::new("Size of the library for Android", note, &["bytes"]);
    for (abi, bytes) in rows {
        table.row(abi, vec![Some(bytes.into())]);
    }
    Ok(table)
}

fn table(lines: &str) -> Result<Table> {
    let mut table = Table::new(
        "Size of the C library, bytes",
        "Stripped, by `tests/c/sizes.sh`. In a program: what `bindings/c/examples/loopback.c` grows by when it is \
         linked with the static library and `--gc-sections`. `release` is what `make -C bindings/c` builds: fast backend, \
         optimised for speed. `router` is `PROFILE=router`: portable backend, optimised for size, which costs speed. \
         `BUILD_STD=1` builds Rust's own library along, for size and without what prints backtraces. On aarch64 it is \
         built along in every row.",
        &["shared library", "static library", "in a program"],
    );
    for line in lines.lines() {
        let (name, figures) = line.split_once('\t').with_context(|| format!("{line:?} has no figures"))?;
        let cells = figures.split('\t').map(|figure| Ok(Some(figure.parse::<f64>()?.into())));
        table.row(name, cells.collect::<Result<Vec<_>>>()?);
        ensure!(table.rows.last().is_some_and(|row| row.cells.len() == table.columns.len()), "{line:?}: three figures");
    }
    ensure!(!table.rows.is_empty(), "{SCRIPT} says nothing");
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_script_become_rows() {
        let table = table("x86_64, release\t3\t2\t1\naarch64, router\t6\t5\t4\n").expect("it is well formed");
        assert_eq!(table.at("aarch64, router", "in a program").map(|cell| cell.value), Some(4.0));
        assert_eq!(table.rows.len(), 2);
        for wrong in ["", "x86_64\n", "x86_64\t1\t2\n", "x86_64\t1\t2\t3 KB\n"] {
            assert!(super::table(wrong).is_err(), "{wrong:?}");
        }
    }
}
