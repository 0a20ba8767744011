//! What becomes invalid in PostgreSQL when an older dump is restored.
use super::super::{Restored, Result, Voided};
use super::{Postgres, sessions};
use crate::time::Time;

impl Restored for Postgres {
    fn after_restore(&mut self, at: Time) -> Result<Voided> {
        self.write(|change| {
            let sessions = sessions::end_all(change, at)?;
            // The step after the present one may have been accepted before.
            change.run(
                "UPDATE codes SET last = greatest(coalesce(last, 0), $1::bigint / 1000 / period + 1) WHERE period IS NOT NULL",
                &[&at.as_millis()],
            )?;
            Ok(Voided {
                sessions,
                enrolments: change.run("DELETE FROM enrolments", &[])?,
                recovery_codes: change.run("DELETE FROM recovery", &[])?,
                counters: change.run("DELETE FROM codes WHERE period IS NULL", &[])?,
            })
        })
    }
}
