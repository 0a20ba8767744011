//! The demonstration without root: the same core between in-memory network stacks, over a simulated internet.
use anyhow::Result;
use std::io::Write;

/// Tells the story to `out`, having said that it is a simulation.
///
/// # Errors
/// What did not happen as told, or why `out` could not be written.
pub fn run(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "Without root there are no interfaces to make, so this is a simulation; as root it is real.\n")?;
    underpass_sim::demo::run(out).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_says_that_it_is_a_simulation_and_comes_to_its_end() {
        let mut out = Vec::new();
        super::run(&mut out).expect("the story comes to its end");
        let story = String::from_utf8(out).expect("text");
        assert!(story.lines().next().is_some_and(|first| first.contains("simulation")));
        assert!(story.ends_with("Every step was checked; nothing left this process.\n"));
    }
}
