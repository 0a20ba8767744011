//! Goes through a plan, and back when a step fails.
use super::plan::Plan;
use super::step::{Action, Step};

/// Who does what the steps say.
pub trait Host {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, for the user; then nothing was done.
    fn perform(&mut self, action: &Action) -> anyhow::Result<()>;

    /// Hears that `step` comes next.
    ///
    /// # Errors
    /// It must not: then it is not done.
    fn begins(&mut self, _step: &Step) -> anyhow::Result<()> {
        Ok(())
    }

    /// Hears that `step` is done.
    ///
    /// # Errors
    /// It must not stay: then it is undone with the others.
    fn has_done(&mut self, _step: &Step) -> anyhow::Result<()> {
        Ok(())
    }

    /// Tells the user of a fault that stops nothing.
    fn complain(&mut self, fault: &anyhow::Error);

    /// Whether the user wants to stop.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Carries out `plan`. When a step fails, or the user interrupts, those before it are undone, the last one first.
///
/// # Errors
/// The fault of the step that failed.
pub fn carry_out(plan: &Plan, host: &mut dyn Host) -> anyhow::Result<()> {
    for (done, step) in plan.steps.iter().enumerate() {
        let outcome = check(host).and_then(|()| host.begins(step)).and_then(|()| host.perform(&step.does(&plan.name)));
        let (done, outcome) = match outcome {
            Ok(()) => (done + 1, host.has_done(step)),
            failed => (done, failed),
        };
        if let Err(fault) = outcome {
            take_down(&plan.steps[..done], host);
            return Err(fault);
        }
    }
    check(host).inspect_err(|_| {
        take_down(&plan.steps, host);
    })
}

/// Whether to go on.
fn check(host: &dyn Host) -> anyhow::Result<()> {
    if host.is_interrupted() { Err(anyhow::anyhow!("interrupted")) } else { Ok(()) }
}

/// Undoes `steps`, the last one first, whatever fails; `false` when something did.
pub fn take_down(steps: &[Step], host: &mut dyn Host) -> bool {
    let mut all = true;
    for action in steps.iter().rev().filter_map(Step::undoes) {
        if let Err(fault) = host.perform(&action) {
            host.complain(&fault);
            all = false;
        }
    }
    all
}
