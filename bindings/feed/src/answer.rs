//! Answers as the numbers that the doors give: below 0 a code.
use underpass_core::Status;

/// The code of an answer without a value.
pub fn status(answer: Result<(), Status>) -> i32 {
    answer.err().unwrap_or(Status::Ok).code()
}

/// A number, or a code.
pub fn number(answer: Result<usize, Status>) -> i32 {
    match answer {
        Ok(number) => i32::try_from(number).unwrap_or(i32::MAX),
        Err(status) => status.code(),
    }
}
