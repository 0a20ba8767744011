//! The layers of the core: a room imports from those above it in the list of `core/src/lib.rs` and from no other.
use crate::Source;
use crate::source::{Flat, flatten};
use std::collections::BTreeMap;

/// The rooms and their layers, as the root of the package lists them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// The layer of each room, from 0.
    rooms: BTreeMap<String, usize>,
    /// The room that each name re-exported at the root comes from.
    exports: BTreeMap<String, String>,
}

impl Layers {
    /// Reads `lib.rs`: `mod` lines, layers divided by blank lines, and what the root re-exports.
    #[must_use]
    pub fn of_root(root: &Source) -> Self {
        let mut layers = Self::default();
        let (mut layer, mut blank) = (0, false);
        for line in root.text.lines().map(str::trim) {
            let declared = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
            if let Some(room) = declared.and_then(|rest| rest.strip_suffix(';')) {
                layer += usize::from(blank && !layers.rooms.is_empty());
                layers.rooms.insert(room.to_owned(), layer);
                blank = false;
            } else if line.is_empty() {
                blank = true;
            }
        }
        for item in &root.file.items {
            if let syn::Item::Use(item) = item
                && let syn::UseTree::Path(path) = &item.tree
            {
                layers.export(&path.ident.to_string(), &path.tree);
            }
        }
        layers
    }

    fn export(&mut self, room: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.export(room, &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.export(room, tree)),
            syn::UseTree::Name(name) => drop(self.exports.insert(name.ident.to_string(), room.to_owned())),
            syn::UseTree::Rename(name) => drop(self.exports.insert(name.rename.to_string(), room.to_owned())),
            _ => {}
        }
    }

    /// The layer of `room`.
    #[must_use]
    pub fn layer(&self, room: &str) -> Option<usize> {
        self.rooms.get(room).copied()
    }

    /// Every arrow of `source` that points the wrong way.
    #[must_use]
    pub fn upward_arrows(&self, source: &Source) -> Vec<String> {
        let Some(module) = source.module() else { return Vec::new() };
        let Some(room) = module.first() else { return Vec::new() };
        let Some(own) = self.layer(room) else {
            return vec![format!("{}: the root does not list the room `{room}`", source.path)];
        };
        let mut findings = Vec::new();
        for (line, name) in names_at_root(&flatten(&source.tokens), module.len()) {
            let target = self.exports.get(&name).unwrap_or(&name);
            let allowed = match self.layer(target) {
                Some(layer) => layer < own || target == room,
                None => false,
            };
            if !allowed {
                findings.push(format!("{}:{line}: `{room}` imports from `{target}`", source.path));
            }
        }
        findings
    }
}

/// Every name that a path of the file looks up at the root of the crate: what follows `crate::`, or as many `super::` as
/// lead there from a module `depth` deep. A glob is the name `*`.
fn names_at_root(tokens: &[Flat], depth: usize) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    // For each open brace, whether it is the body of a module.
    let mut braces: Vec<bool> = Vec::new();
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut at = 0;
    while at < tokens.len() {
        match text(at) {
            "{" => braces.push(at >= 2 && text(at - 2) == "mod"),
            "}" => drop(braces.pop()),
            "crate" if text(at + 1) == "::" => push_names(tokens, at + 2, &mut names),
            "super" if text(at + 1) == "::" && text(at.wrapping_sub(1)) != "::" => {
                let mut up = 0;
                while text(at) == "super" && text(at + 1) == "::" {
                    (up, at) = (up + 1, at + 2);
                }
                let deep = depth + braces.iter().filter(|is_module| **is_module).count();
                if up >= deep {
                    push_names(tokens, at, &mut names);
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// The name at `at`, or each name that leads an entry of the group there.
fn push_names(tokens: &[Flat], at: usize, names: &mut Vec<(usize, String)>) {
    let Some(first) = tokens.get(at) else { return };
    if first.text != "{" {
        names.push((first.line, first.text.clone()));
        return;
    }
    let mut depth = 0;
    for pair in tokens[at..].windows(2) {
        let [before, token] = pair else { continue };
        depth += i32::from(before.text == "{") - i32::from(before.text == "}");
        if depth == 0 {
            break;
        }
        if depth == 1 && (before.text == "{" || before.text == ",") && !matches!(token.text.as_str(), "}" | "self") {
            names.push((token.line, token.text.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "
        pub mod time;

        pub mod crypto;
        pub mod wire;

        pub mod tunnel;

        pub use time::{Instant, UnixTime};
        pub use tunnel::Tunnel;
    ";

    fn layers() -> Layers {
        Layers::of_root(&Source::new("core/src/lib.rs", ROOT))
    }

    #[test]
    fn the_root_lists_layers_divided_by_blank_lines() {
        let layers = layers();
        let layer = |room| layers.layer(room);
        assert_eq!(["time", "crypto", "wire", "tunnel"].map(layer), [Some(0), Some(1), Some(1), Some(2)]);
        assert_eq!(layer("filter"), None);
    }

    #[test]
    fn an_upward_arrow_is_found_however_it_is_written() {
        for (row, (path, text, found)) in [
            ("wire/mod.rs", "use crate::time::Instant;", 0),
            ("wire/mod.rs", "use crate::Instant;", 0),
            ("wire/mod.rs", "use crate::wire::field; mod field;", 0),
            ("tunnel/inbound.rs", "use crate::{crypto::{hash, keys}, time, wire::*};", 0),
            ("wire/mod.rs", "use crate::tunnel::Tunnel;", 1),
            ("wire/mod.rs", "use crate::Tunnel;", 1),
            ("wire/mod.rs", "use crate::{time::{Instant}, tunnel::{self, Event}, Tunnel};", 2),
            ("wire/mod.rs", "fn f() { let _ = crate::tunnel::Event::Lost(0); }", 1),
            ("wire/mod.rs", "fn f() { assert!(g(crate::tunnel::X)); }", 1),
            ("wire/field.rs", "use super::super::tunnel::Tunnel;", 1),
            ("wire/field.rs", "pub(super) fn f() {} use super::tunnel;", 0),
            ("wire/field.rs", "mod tests { use super::super::tunnel; }", 0),
            ("wire/field.rs", "mod tests { use super::super::super::tunnel; }", 1),
            ("wire/mod.rs", "use crate::crypto::hash;", 1),
            ("crypto/mod.rs", "use crate::*;", 1),
            ("filter/mod.rs", "", 1),
            ("time.rs", "/// As [`Tunnel`](crate::Tunnel) says.\nstruct S;", 0),
        ]
        .into_iter()
        .enumerate()
        {
            let source = Source::new(&format!("core/src/{path}"), text);
            let findings = layers().upward_arrows(&source);
            assert_eq!(findings.len(), found, "row {row}: {text}: {findings:?}");
        }
    }
}
