//! Items as lines of text, without bodies and documentation.
use super::Line;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Fields, FnArg, Item, Meta, Pat, Signature, Visibility};

/// Whether an item is there for whoever depends on the package.
pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether the attributes take an item out of the surface: hidden, or there in tests only.
pub fn is_out(attrs: &[Attribute]) -> bool {
    let says = |attr: &Attribute, name: &str, word: &str| {
        attr.path().is_ident(name) && attr.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident(word))
    };
    attrs.iter().any(|attr| says(attr, "doc", "hidden") || says(attr, "cfg", "test"))
}

/// What a caller must know of an item besides its signature.
fn marks(attrs: &[Attribute]) -> String {
    const SHOWN: [&str; 5] = ["non_exhaustive", "must_use", "repr", "deprecated", "cfg"];
    let shown = attrs.iter().filter(|attr| SHOWN.iter().any(|name| attr.path().is_ident(name)));
    shown
        .map(|attr| match &attr.meta {
            // The reason that `must_use` gives is prose.
            Meta::NameValue(meta) => format!(" #[{}]", plain(&meta.path)),
            meta => format!(" #[{}]", plain(meta)),
        })
        .collect()
}

/// The lines of an item under its public path, impls left out.
pub fn item(path: &str, item: &Item) -> Vec<Line> {
    match item {
        Item::Fn(it) => vec![function(path, "pub ", &it.sig, &it.attrs)],
        Item::Const(it) => vec![Line::new(path, format!("pub const {path}: {}{}", plain(&it.ty), marks(&it.attrs)))],
        Item::Static(it) => vec![Line::new(path, format!("pub static {path}: {}{}", plain(&it.ty), marks(&it.attrs)))],
        Item::Type(it) => {
            vec![Line::new(path, format!("pub type {path}{} = {}", plain(&it.generics), plain(&it.ty)))]
        }
        Item::Struct(it) => {
            let hidden = it.fields.iter().any(|field| !is_public(&field.vis) || is_out(&field.attrs));
            let hidden = if hidden { " { private fields }" } else { "" };
            let head = format!("pub struct {path}{}{hidden}{}", plain(&it.generics), marks(&it.attrs));
            let public =
                it.fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis) && !is_out(&field.attrs));
            let fields = public.map(|(number, field)| {
                let name = field.ident.as_ref().map_or_else(|| number.to_string(), ToString::to_string);
                let path = format!("{path}::{name}");
                Line::new(&path, format!("pub {path}: {}", plain(&field.ty)))
            });
            [Line::new(path, head)].into_iter().chain(fields).chain(derives(path, &it.attrs)).collect()
        }
        Item::Enum(it) => {
            let head = format!("pub enum {path}{}{}", plain(&it.generics), marks(&it.attrs));
            let variants = it.variants.iter().filter(|variant| !is_out(&variant.attrs)).map(|variant| {
                let path = format!("{path}::{}", variant.ident);
                let number = variant.discriminant.as_ref().map(|(_, value)| format!(" = {}", plain(value)));
                let fields = variant_fields(&variant.fields);
                Line::new(&path, format!("{path}{fields}{}{}", number.unwrap_or_default(), marks(&variant.attrs)))
            });
            [Line::new(path, head)].into_iter().chain(variants).chain(derives(path, &it.attrs)).collect()
        }
        Item::Trait(it) => {
            let bounds =
                if it.supertraits.is_empty() { String::new() } else { format!(": {}", plain(&it.supertraits)) };
            let head = format!("pub trait {path}{}{bounds}{}", plain(&it.generics), marks(&it.attrs));
            let members = it.items.iter().filter_map(|member| trait_item(path, member));
            [Line::new(path, head)].into_iter().chain(members).collect()
        }
        other => vec![Line::new(path, format!("pub {path}: an item of a kind that is not known: {}", plain(other)))],
    }
}

fn trait_item(path: &str, item: &syn::TraitItem) -> Option<Line> {
    match item {
        syn::TraitItem::Fn(it) if !is_out(&it.attrs) => {
            let path = format!("{path}::{}", it.sig.ident);
            let mut line = function(&path, "", &it.sig, &it.attrs);
            line.text.push_str(if it.default.is_some() { " { provided }" } else { "" });
            Some(line)
        }
        syn::TraitItem::Const(it) if !is_out(&it.attrs) => {
            let path = format!("{path}::{}", it.ident);
            Some(Line::new(&path, format!("const {path}: {}", plain(&it.ty))))
        }
        syn::TraitItem::Type(it) if !is_out(&it.attrs) => {
            let path = format!("{path}::{}", it.ident);
            Some(Line::new(&path, format!("type {path}")))
        }
        _ => None,
    }
}

/// The line of a member of an inherent impl; `None` when it is not public.
pub fn member(path: &str, item: &syn::ImplItem) -> Option<Line> {
    match item {
        syn::ImplItem::Fn(it) if is_public(&it.vis) && !is_out(&it.attrs) => {
            Some(function(&format!("{path}::{}", it.sig.ident), "pub ", &it.sig, &it.attrs))
        }
        syn::ImplItem::Const(it) if is_public(&it.vis) && !is_out(&it.attrs) => {
            let path = format!("{path}::{}", it.ident);
            Some(Line::new(&path, format!("pub const {path}: {}", plain(&it.ty))))
        }
        _ => None,
    }
}

/// The line of the impl of a trait for the type of this path; what it says of associated types stands in braces.
pub fn trait_impl(path: &str, subject: &str, name: &syn::Path, it: &syn::ItemImpl) -> Line {
    let types: Vec<String> = it
        .items
        .iter()
        .filter_map(|item| match item {
            syn::ImplItem::Type(ty) => Some(format!("{} = {}", ty.ident, plain(&ty.ty))),
            _ => None,
        })
        .collect();
    let types = if types.is_empty() { String::new() } else { format!(" {{ {} }}", types.join(", ")) };
    let name = name.segments.last().map(plain).unwrap_or_default();
    Line::new(path, format!("impl{} {name} for {subject}{types}", plain(&it.generics)))
}

fn derives(path: &str, attrs: &[Attribute]) -> Vec<Line> {
    let mut names = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("derive")) {
        // What cannot be read as a list of paths is no derive that compiles.
        let _ = attr.parse_nested_meta(|meta| {
            names.extend(meta.path.segments.last().map(|last| last.ident.to_string()));
            Ok(())
        });
    }
    names.into_iter().map(|name| Line::new(path, format!("impl {name} for {path}"))).collect()
}

fn function(path: &str, before: &str, signature: &Signature, attrs: &[Attribute]) -> Line {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        match input {
            FnArg::Typed(arg) => {
                arg.attrs.clear();
                match &mut *arg.pat {
                    Pat::Ident(name) => name.mutability = None,
                    other => {
                        *other = Pat::Wild(syn::PatWild { attrs: Vec::new(), underscore_token: Default::default() })
                    }
                }
            }
            // `mut self` is the body's business; `&mut self` is kept elsewhere.
            FnArg::Receiver(receiver) => receiver.mutability = None,
        }
    }
    let name = format!("fn {}", signature.ident);
    let text = plain(&signature).replacen(&name, &format!("fn {path}"), 1);
    Line::new(path, format!("{before}{text}{}", marks(attrs)))
}

fn variant_fields(fields: &Fields) -> String {
    let named = |field: &syn::Field| match &field.ident {
        Some(name) => format!("{name}: {}", plain(&field.ty)),
        None => plain(&field.ty),
    };
    let shown: Vec<String> = fields.iter().filter(|field| !is_out(&field.attrs)).map(named).collect();
    match fields {
        Fields::Unit => String::new(),
        Fields::Named(_) => format!(" {{ {} }}", shown.join(", ")),
        Fields::Unnamed(_) => format!("({})", shown.join(", ")),
    }
}

/// The text of a piece of syntax, spaced as people do.
pub fn plain(syntax: &impl ToTokens) -> String {
    let mut words = Vec::new();
    flatten(syntax.to_token_stream(), &mut words);
    let mut text = String::new();
    let mut before = "(".to_owned();
    for word in words {
        if is_spaced(&before, &word) {
            text.push(' ');
        }
        text.push_str(&word);
        before = word;
    }
    // A list broken over lines ends with a comma, one in a line does not.
    text.replace(",)", ")").replace(",>", ">")
}

fn flatten(stream: TokenStream, words: &mut Vec<String>) {
    let mut joint = false;
    for tree in stream {
        let glued = std::mem::take(&mut joint);
        let word = match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.into());
                flatten(group.stream(), words);
                close.into()
            }
            TokenTree::Punct(sign) => {
                joint = sign.spacing() == Spacing::Joint;
                sign.to_string()
            }
            other => other.to_string(),
        };
        match words.last_mut() {
            Some(last) if glued => last.push_str(&word),
            _ => words.push(word),
        }
    }
}

fn is_spaced(before: &str, word: &str) -> bool {
    let is_word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let keyword = matches!(before, "mut" | "const" | "dyn" | "in" | "where" | "for" | "as" | "pub");
    match (before, word) {
        ("(" | "[" | "<" | "&" | "::" | "!" | "." | "#" | "*" | "-" | "?", _) => false,
        (_, "," | ";" | ")" | "]" | ">" | "." | "?" | ":" | "::") => false,
        (before, "(" | "<" | "!") => !is_word(before) && before != ">" || keyword,
        _ => true,
    }
}
