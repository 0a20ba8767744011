//! Runs a login: passes messages to and from the gateway, asks the user, and applies what is granted.
use super::answers::Answers;
use super::signals;
use crate::clock;
use crate::login::link::{Link, Received};
use crate::login::{Driver, End, Grant, Output, Question, Wants};
use anyhow::anyhow;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::low_level::pipe;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use underpass_core::control::message::Config;

/// How long to sleep at most: the clock that counts while the machine sleeps is not the one that wakes us.
const LONGEST: Duration = Duration::from_secs(60);

/// How a login ended.
#[derive(Debug)]
pub enum Over {
    /// For this reason.
    End(End),
    /// The tunnel is gone, or lets nobody speak with its gateway.
    Gone,
}

/// What is done with a login on this machine.
pub trait Place {
    /// Applies what is granted.
    ///
    /// # Errors
    /// It cannot be applied.
    fn apply(&mut self, _grant: &Grant) -> anyhow::Result<()> {
        Ok(())
    }

    /// The address from which the gateway is heard, if that is known.
    fn endpoint(&mut self) -> Option<IpAddr> {
        None
    }

    /// Shows the user's new authenticator.
    ///
    /// # Errors
    /// There is nowhere to show it.
    fn show_authenticator(&mut self, _user: &str, _uri: &str) -> anyhow::Result<()> {
        Ok(())
    }

    /// Keeps that the device is enrolled.
    ///
    /// # Errors
    /// It cannot be kept.
    fn keep(&mut self, _user: &str, _config: &Config) -> anyhow::Result<()> {
        Ok(())
    }

    /// The user is logged in. `true`: the terminal was left, and messages go to the system's log from here on.
    ///
    /// # Errors
    /// The terminal cannot be left.
    fn leave_terminal(&mut self) -> anyhow::Result<bool> {
        Ok(false)
    }
}

/// The signals that ask this process to end, from when this is made.
pub struct Asked(UnixStream);

impl Asked {
    /// Watches for them.
    ///
    /// # Errors
    /// They cannot be watched.
    pub fn watch() -> anyhow::Result<Self> {
        let failed = |error| anyhow!("cannot watch for signals: {error}");
        let (heard, told) = UnixStream::pair().map_err(failed)?;
        heard.set_nonblocking(true).map_err(failed)?;
        for signal in signals::heard() {
            pipe::register(signal, told.try_clone().map_err(failed)?).map_err(failed)?;
        }
        Ok(Self(heard))
    }

    /// How many have come since the last call.
    fn count(&mut self) -> usize {
        self.0.read(&mut [0; 64]).unwrap_or(0)
    }
}

/// A login that is carried.
pub struct Conversation<'a> {
    driver: Driver,
    link: Link,
    asked: &'a mut Asked,
    answers: Answers,
    is_asking: bool,
    knows_endpoint: bool,
    is_granted: bool,
    has_left: bool,
}

impl<'a> Conversation<'a> {
    /// `driver` speaks over `link`; the signals in `asked` make it log out.
    #[must_use]
    pub fn new(driver: Driver, link: Link, asked: &'a mut Asked) -> Self {
        let answers = Answers::default();
        Self {
            driver,
            link,
            asked,
            answers,
            is_asking: false,
            knows_endpoint: false,
            is_granted: false,
            has_left: false,
        }
    }

    /// Whether anything was granted.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        self.is_granted
    }

    /// Carries it to its end.
    ///
    /// # Errors
    /// What was granted first cannot be applied, or the machine lacks something.
    pub fn carry(&mut self, place: &mut dyn Place) -> anyhow::Result<Over> {
        loop {
            if let Some(over) = self.settle(place)? {
                return Ok(over);
            }
            let [link, asked, typed] = self.wait()?;
            if asked && self.was_asked() {
                return Ok(Over::End(End::LoggedOut { is_heard: false }));
            }
            if typed {
                self.answers.fill();
            }
            if link && !self.receive(place)? {
                return Ok(Over::Gone);
            }
            self.driver.handle_timeout(clock::now());
        }
    }

    /// Sends and does all that the driver wants.
    fn settle(&mut self, place: &mut dyn Place) -> anyhow::Result<Option<Over>> {
        loop {
            while let Some(transmit) = self.driver.poll_transmit() {
                if self.link.send(&transmit.message, transmit.may_wake).is_err() {
                    return Ok(Some(Over::Gone));
                }
            }
            match self.driver.poll_output() {
                Some(Output::Over(end)) => return Ok(Some(Over::End(end))),
                Some(output) => self.act(place, output)?,
                None if self.answer() => {}
                None => return Ok(None),
            }
        }
    }

    fn act(&mut self, place: &mut dyn Place, output: Output) -> anyhow::Result<()> {
        match output {
            Output::Banner(text) => self.say(text.trim_end()),
            Output::Page { prompt, url } => {
                [Some(prompt), url]
                    .into_iter()
                    .flatten()
                    .filter(|text| !text.is_empty())
                    .for_each(|text| self.say(&text));
            }
            Output::Ask(question) => {
                self.answers.prompt(&words(&question), question.echo);
                self.is_asking = true;
            }
            Output::Rejected(pause) if pause.is_zero() => self.say("The gateway rejected that. Try again."),
            Output::Rejected(pause) => self.say(&format!("The gateway rejected that. Try again in {}.", span(pause))),
            Output::Granted(grant) => self.granted(place, &grant)?,
            Output::LoginDue(left) => {
                let until = left.map_or_else(String::new, |left| format!(": the session ends in {}", span(left)));
                self.say(&format!("underpass: a new login is due{until}"));
                if self.answers.is_terminal() {
                    self.driver.log_in_again(clock::now());
                }
            }
            Output::Renewed(left) => {
                let left = left.map_or_else(String::new, |left| format!("; the session ends in {}", span(left)));
                self.say(&format!("underpass: logged in again{left}"));
            }
            Output::NotRenewed(end) => self.say(&format!("underpass: not logged in again: {end}")),
            Output::Authenticator { user, uri } => {
                place.show_authenticator(&user, std::str::from_utf8(&uri).unwrap_or_default())?;
            }
            Output::Enrolled { user, config } => place.keep(&user, &config)?,
            Output::Over(_) => {}
        }
        Ok(())
    }

    fn granted(&mut self, place: &mut dyn Place, grant: &Grant) -> anyhow::Result<()> {
        match place.apply(grant) {
            Err(fault) if self.is_granted => self.say(&format!("underpass: {fault}")),
            applied => applied?,
        }
        if !self.is_granted && place.leave_terminal()? {
            self.answers.leave();
            self.has_left = true;
        }
        self.is_granted = true;
        Ok(())
    }

    /// Tells the user.
    fn say(&self, text: &str) {
        match self.has_left {
            true => tracing::warn!("{}", text.trim_start_matches("underpass: ")),
            false => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    /// Hands in an answer, if one is wanted and there is one; `false`: not so.
    fn answer(&mut self) -> bool {
        if !self.is_asking {
            return false;
        }
        match self.answers.take() {
            Some(line) => self.driver.answer(clock::now(), line),
            None if self.answers.is_over() => self.driver.decline(),
            None => return false,
        }
        self.is_asking = false;
        true
    }

    /// Waits until something comes, or is due: from the tunnel, a signal, a line.
    fn wait(&self) -> anyhow::Result<[bool; 3]> {
        let left = self.driver.poll_timeout().map_or(LONGEST, |due| due.since(clock::now()));
        // Rounded up, so that it is due afterwards.
        let left = left.min(LONGEST) + Duration::from_millis(1);
        let mut fds = vec![
            PollFd::new(self.link.socket(), PollFlags::POLLIN),
            PollFd::new(self.asked.0.as_fd(), PollFlags::POLLIN),
        ];
        if self.is_asking {
            fds.push(PollFd::new(self.answers.source(), PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        let mut ready = [false; 3];
        ready.iter_mut().zip(&fds).for_each(|(ready, fd)| *ready = fd.any().unwrap_or(false));
        Ok(ready)
    }

    /// Somebody asked this process to end. `true`: it does so at once.
    fn was_asked(&mut self) -> bool {
        self.answers.unhide();
        let count = self.asked.count();
        // A second signal means: do not wait for the gateway.
        let is_impatient = count > 1 || self.driver.is_leaving();
        self.driver.log_out(clock::now());
        count > 0 && is_impatient
    }

    /// Takes what the tunnel gives; `false`: it is gone.
    fn receive(&mut self, place: &mut dyn Place) -> anyhow::Result<bool> {
        while let Some(received) = self.link.receive()? {
            if !self.knows_endpoint || received == Received::Session {
                let endpoint = place.endpoint();
                self.knows_endpoint = endpoint.is_some();
                endpoint.into_iter().for_each(|endpoint| self.driver.know_endpoint(endpoint));
            }
            match received {
                Received::Message(message) => self.driver.handle_message(clock::now(), &message),
                Received::Session => self.driver.session_began(clock::now()),
                Received::Gone => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// How somebody at a terminal is asked.
fn words(question: &Question) -> String {
    let prompt = question.prompt.trim_end();
    let own = match question.wants {
        _ if !prompt.is_empty() => prompt.to_owned(),
        Wants::User => "User:".into(),
        Wants::Password => "Password:".into(),
        Wants::Code(Some(digits)) => format!("Code of {digits} digits:"),
        Wants::Code(None) => "One-time code:".into(),
        Wants::Recovery => "Recovery code:".into(),
        Wants::Other => "Answer:".into(),
    };
    format!("{own} ")
}

/// A span as people say it.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (28_800, "8 h 0 min")] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_gateways_own_words_are_put() {
        let question = |wants, prompt: &str| words(&Question { wants, prompt: prompt.into(), echo: true });
        assert_eq!(question(Wants::Other, "Your first pet?\n"), "Your first pet? ");
        assert_eq!(question(Wants::Code(Some(6)), ""), "Code of 6 digits: ");
        assert_eq!(question(Wants::Password, ""), "Password: ");
    }
}
