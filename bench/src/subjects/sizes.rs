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
