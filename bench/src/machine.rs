//! Where and what was measured.
use std::process::Command;

/// The facts that figures mean nothing without, one a line.
pub fn facts(command: &str) -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name);
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or("unknown").trim().to_owned();
    vec![
        format!("Machine: {} x {}, {memory} of memory", cpus, model.unwrap_or("an unknown CPU").trim()),
        format!("System: Linux {}, {}", read("/proc/sys/kernel/osrelease").trim(), run("rustc", &["--version"])),
        format!("Commit: {}", commit()),
        format!("Command: `{command}`"),
        format!("Date: {}", run("date", &["--utc", "+%Y-%m-%d"])),
    ]
}

/// The commit, and whether there were changes beside it in what is measured.
fn commit() -> String {
    let hash = run("git", &["rev-parse", "--short=12", "HEAD"]);
    let changes = run("git", &["status", "--porcelain", "--", ":/core", ":/linux", ":/bench", ":/bindings", ":/tests"]);
    if changes.is_empty() { hash } else { format!("{hash} and changes") }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
