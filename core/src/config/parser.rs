//! Reads a configuration text from its first line to its last, and gathers all that is to be said about it.
use crate::config::diagnostic::{Diagnostic, Section, Severity};
use crate::config::foreign;
use crate::config::interface::InterfaceDraft;
use crate::config::lines::{Line, Position, Span, lines};
use crate::config::peer::{self, PeerDraft};
use crate::config::quick::QuickConfig;
use crate::config::reason::Reason;
use crate::config::settings::{self, Empty, Repeat, Row, Setting};
use crate::config::spelling;
use crate::memory::{NoMemory, copy_text, list, push};
use crate::order::sort;
use alloc::string::String;
use alloc::vec::Vec;

/// How many diagnostics [`parse`] keeps of one text.
pub const MAX_DIAGNOSTICS: usize = 100;

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` if one of the findings is an error, kept or not, or memory ran out.
    pub config: Option<QuickConfig>,
    /// Errors and warnings, in the order of the text: as many as were asked for. Where there are more, errors come before
    /// warnings, and what was found earlier before what was found later.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more errors and warnings there are.
    pub more: usize,
    /// Memory ran out before the text was read to its end: there is no configuration, and perhaps more to be said.
    pub out_of_memory: bool,
}

/// Reads a text in the dialect of `wg-quick(8)` and `wg setconf`, and of the phone applications. It keeps
/// [`MAX_DIAGNOSTICS`] of what is to be said about it.
///
/// It is read as `wg` and `wg-quick` read it. Where they refuse what others write, this warns: of keys that other products
/// read, of lists without values or with a comma too many. Where they take what may not be meant, and packets could leave
/// unprotected, it is an error here: a private key, a public key or a table given twice in a section, a `DNS` without
/// value, a peer's second section that drops the allowed IPs of the first.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    parse_with(text, MAX_DIAGNOSTICS)
}

/// The same, with at most `max_diagnostics` diagnostics. What they do not say is counted; whether the text is refused does
/// not depend on their number.
#[must_use]
pub fn parse_with(text: &str, max_diagnostics: usize) -> Parsed {
    let mut parser = Parser { found: Findings { max: max_diagnostics, ..Findings::default() }, ..Parser::default() };
    for line in lines(text) {
        parser.line(line);
        if parser.found.out_of_memory {
            break;
        }
    }
    parser.finish()
}

/// What has been found so far, and the section and key it is about.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) section: Option<Section>,
    pub(super) key: Option<&'static str>,
    list: Vec<Diagnostic>,
    /// How many the list may hold.
    max: usize,
    /// Warnings in the list.
    warnings: usize,
    /// Findings that are not in the list.
    more: usize,
    /// An error was found, whether or not it is in the list.
    faulty: bool,
    /// Memory ran out: nothing that follows counts.
    out_of_memory: bool,
}

impl Findings {
    pub(super) fn report(&mut self, at: Position, reason: Reason) {
        let severity = reason.severity();
        self.faulty |= severity == Severity::Error;
        if self.list.len() >= self.max && !self.make_way(severity) {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.warnings = self.warnings.saturating_add(usize::from(severity == Severity::Warning));
        let (section, key) = (self.section, self.key);
        let kept =
            push(&mut self.list, Diagnostic { severity, line: at.line, column: at.column, section, key, reason });
        self.note(kept);
    }

    /// The list is full: a warning gives way to an error, the latest first.
    fn make_way(&mut self, severity: Severity) -> bool {
        if severity == Severity::Warning || self.warnings == 0 {
            return false;
        }
        let latest = self.list.iter().rposition(|one| one.severity == Severity::Warning);
        latest.is_some_and(|at| {
            self.list.remove(at);
            self.warnings = self.warnings.saturating_sub(1);
            self.more = self.more.saturating_add(1);
            true
        })
    }

    /// Whether one more error would be kept.
    pub(super) fn keeps_errors(&self) -> bool {
        self.list.len() < self.max || self.warnings > 0
    }

    /// The value, or `None` and a report at `at`.
    pub(super) fn keep<T>(&mut self, at: Position, value: Result<T, Reason>) -> Option<T> {
        value.map_err(|reason| self.report(at, reason)).ok()
    }

    /// The value, or `None`: there is no memory for it, and so no configuration.
    pub(super) fn note<T>(&mut self, value: Result<T, NoMemory>) -> Option<T> {
        self.out_of_memory |= value.is_err();
        value.ok()
    }

    /// Puts `item` at the end of `list`.
    pub(super) fn push<T>(&mut self, list: &mut Vec<T>, item: T) {
        let pushed = push(list, item);
        self.note(pushed);
    }

    /// A list of all items that `each` gives, with no room to grow. They are counted first, so it is called twice. What stands
    /// behind references is compiled once for each kind of item.
    #[inline(never)]
    pub(super) fn collect<T>(&mut self, each: &Each<'_, T>) -> Vec<T> {
        let mut len = 0_usize;
        each(&mut |_| len = len.saturating_add(1));
        let mut all = self.note(list(len)).unwrap_or_default();
        let room = all.capacity();
        each(&mut |item| {
            if all.len() < room {
                all.push(item);
            }
        });
        all
    }

    /// A copy of `text`.
    pub(super) fn copy(&mut self, text: &str) -> String {
        self.note(copy_text(text)).unwrap_or_default()
    }
}

/// What calls its argument with one item after another, the same at each call.
pub(super) type Each<'a, T> = dyn Fn(&mut dyn FnMut(T)) + 'a;

/// The lines on which the keys of the present section were first given.
#[derive(Default)]
pub(super) struct Seen(Vec<(&'static str, u32)>);

impl Seen {
    /// Notes `row` on `line`; returns the line it was first on, if another.
    fn note(&mut self, row: &Row, line: u32, found: &mut Findings) -> Option<u32> {
        let first = self.0.iter().find(|(name, _)| *name == row.name).map(|(_, line)| *line);
        if first.is_none() {
            found.push(&mut self.0, (row.name, line));
        }
        first
    }
}

/// Where the present line stands.
#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Inside(Section),
    /// In a section nobody knows.
    Nowhere,
}

#[derive(Default)]
struct Parser {
    place: Place,
    interface: InterfaceDraft,
    /// The peer of the present section, or of the last one that was a peer's, and the keys seen in it.
    peer: Option<PeerDraft>,
    seen: Seen,
    peers: Vec<PeerDraft>,
    found: Findings,
}

impl Parser {
    fn line(&mut self, line: Line<'_>) {
        self.found.key = None;
        match line {
            Line::Section(name) => self.section(name),
            _ if self.place == Place::Nowhere => {}
            Line::Malformed(at, reason) => self.found.report(at, reason),
            Line::Entry { key, value, whole } => self.entry(key, value, whole),
        }
    }

    fn section(&mut self, name: Span<'_>) {
        self.found.section = None;
        if settings::same_name(name.text, "Interface") {
            self.place = Place::Inside(Section::Interface);
            self.found.section = Some(Section::Interface);
            match self.interface.header {
                Some(first) => self.found.report(name.at, Reason::RepeatedInterface { first_line: first.line }),
                None => self.interface.header = Some(name.at),
            }
        } else if settings::same_name(name.text, "Peer") {
            self.end_peer();
            self.place = Place::Inside(Section::Peer);
            self.found.section = Some(Section::Peer);
            self.found.key = None;
            self.peer = Some(PeerDraft::new(name.at));
        } else {
            self.place = Place::Nowhere;
            self.found.report(name.at, Reason::UnknownSection);
        }
    }

    /// No more is said of the peer: what cannot be one is not kept.
    fn end_peer(&mut self) {
        self.seen.0.clear();
        if let Some(peer) = self.peer.take().filter(|peer| peer.is_whole(&mut self.found)) {
            self.found.push(&mut self.peers, peer);
        }
    }

    fn entry(&mut self, key: Span<'_>, value: Span<'_>, whole: Span<'_>) {
        if key.text.is_empty() {
            return self.found.report(key.at, Reason::MissingEquals);
        }
        let row = settings::find(key.text);
        self.found.key = row.map(|row| row.name);
        let Place::Inside(section) = self.place else {
            return self.found.report(key.at, Reason::OutsideSection);
        };
        let Some(row) = row else { return self.unknown(key, section) };
        if row.section != section {
            return self.found.report(key.at, Reason::WrongSection { belongs: row.section });
        }
        let value = if is_command(row.setting) { whole } else { value };
        if value.text.is_empty() && row.empty != Empty::Means {
            let ignored = row.empty == Empty::Ignored;
            let reason = if ignored { Reason::EmptyIgnored } else { Reason::EmptyValue };
            return self.found.report(value.at, reason);
        }
        self.deliver(section, row, key.at, value);
    }

    /// A key of nobody is an error, one of another product is passed over.
    fn unknown(&mut self, key: Span<'_>, section: Section) {
        let foreign = foreign::find(key.text);
        self.found.key = foreign.map(|foreign| foreign.name);
        let similar = || if self.found.keeps_errors() { spelling::similar(key.text, section) } else { None };
        let reason = foreign.map_or_else(|| Reason::UnknownKey { similar: similar() }, Reason::ForeignKey);
        self.found.report(key.at, reason);
    }

    /// Hands the value to the draft of its section.
    fn deliver(&mut self, section: Section, row: &'static Row, key_at: Position, value: Span<'_>) {
        let found = &mut self.found;
        let seen = match section {
            Section::Peer => &mut self.seen,
            Section::Interface => &mut self.interface.seen,
        };
        match (row.repeat, seen.note(row, value.at.line, found)) {
            (Repeat::LastCounts, Some(first_line)) => found.report(key_at, Reason::Repeated { first_line }),
            (Repeat::Refused, Some(first_line)) => found.report(key_at, Reason::Ambiguous { first_line }),
            _ => {}
        }
        match (section, &mut self.peer) {
            (Section::Peer, Some(peer)) => peer.entry(row.setting, value, found),
            _ => self.interface.entry(row, value, found),
        }
    }

    fn finish(mut self) -> Parsed {
        self.end_peer();
        let Self { interface, peers, mut found, .. } = self;
        let mut config = interface.finish(&mut found);
        config.tunnel.peers = peer::join(peers, &config, &mut found);
        let sorted = by_place(&found.list);
        let diagnostics = found.note(sorted).unwrap_or_default();
        let Findings { more, faulty, out_of_memory, .. } = found;
        Parsed { config: (!faulty && !out_of_memory).then_some(config), diagnostics, more, out_of_memory }
    }
}

/// The diagnostics by place; what stands at one place stays in its order.
fn by_place(diagnostics: &[Diagnostic]) -> Result<Vec<Diagnostic>, NoMemory> {
    let mut places: Vec<(u32, u32, usize)> = list(diagnostics.len())?;
    places.extend(diagnostics.iter().enumerate().map(|(number, one)| (one.line, one.column, number)));
    sort(&mut places);
    let mut sorted = list(diagnostics.len())?;
    sorted.extend(places.iter().filter_map(|(_, _, number)| diagnostics.get(*number)));
    Ok(sorted)
}

/// Whether the value is a shell command, in which `#` is the shell's to understand.
const fn is_command(key: Setting) -> bool {
    matches!(key, Setting::PreUp | Setting::PostUp | Setting::PreDown | Setting::PostDown)
}
