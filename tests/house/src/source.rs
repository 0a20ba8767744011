//! A Rust source: its tokens for what stands anywhere, its syntax tree for what stands in items.
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;

/// A parsed file.
pub struct Source {
    /// From the root of the project.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its syntax tree.
    pub file: syn::File,
    /// Its tokens, comments not among them.
    pub tokens: TokenStream,
}

impl Source {
    /// Parses `text`.
    ///
    /// # Panics
    /// When it is no Rust.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let tokens = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), file, tokens }
    }

    /// The module the file is, from the root of its package: `["wire", "field"]`; empty for `lib.rs`, and `None` for
    /// what is not below a `src` folder.
    #[must_use]
    pub fn module(&self) -> Option<Vec<&str>> {
        let (_, inside) = self.path.split_once("src/")?;
        let mut module: Vec<&str> = inside.strip_suffix(".rs")?.split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        Some(module)
    }

    /// Whether the whole file is test code.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let in_tests = |part: &str| part == "tests" || part == "tests.rs" || part == "benches" || part == "examples";
        self.path.split('/').any(in_tests)
    }

    /// The lines of items under `#[cfg(test)]`, both ends included.
    #[must_use]
    pub fn test_lines(&self) -> Vec<(usize, usize)> {
        let items = self.file.items.iter().filter(|item| match item {
            syn::Item::Mod(item) => item.attrs.iter().any(is_cfg_test),
            syn::Item::Fn(item) => item.attrs.iter().any(is_cfg_test),
            syn::Item::Impl(item) => item.attrs.iter().any(is_cfg_test),
            syn::Item::Use(item) => item.attrs.iter().any(is_cfg_test),
            syn::Item::ExternCrate(item) => item.attrs.iter().any(is_cfg_test),
            _ => false,
        });
        items.map(|item| (item.span().start().line, item.span().end().line)).collect()
    }

    /// Whether `line` is test code.
    #[must_use]
    pub fn is_test_line(&self, line: usize) -> bool {
        self.is_test() || self.test_lines().iter().any(|(from, to)| (*from..=*to).contains(&line))
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

fn is_cfg_test(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("cfg") && attr.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

/// One token as flat text: groups are opened and closed by tokens of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// The token's text; `::` is one.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// All tokens of `stream`, groups opened up.
#[must_use]
pub fn flatten(stream: &TokenStream) -> Vec<Flat> {
    let mut all = Vec::new();
    push_flat(stream.clone(), &mut all);
    all
}

fn push_flat(stream: TokenStream, all: &mut Vec<Flat>) {
    let mut colon = false;
    for tree in stream {
        let line = tree.span().start().line;
        let after_colon = std::mem::take(&mut colon);
        match tree {
            TokenTree::Group(group) => push_group(&group, all),
            TokenTree::Punct(punct) if punct.as_char() == ':' && after_colon => {
                all.pop();
                all.push(Flat { text: "::".into(), line });
            }
            TokenTree::Punct(punct) => {
                colon = punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
                all.push(Flat { text: punct.as_char().into(), line });
            }
            other => all.push(Flat { text: other.to_string(), line }),
        }
    }
}

fn push_group(group: &Group, all: &mut Vec<Flat>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    all.push(Flat { text: open.into(), line: group.span_open().start().line });
    push_flat(group.stream(), all);
    all.push(Flat { text: close.into(), line: group.span_close().start().line });
}
