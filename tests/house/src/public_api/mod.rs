//! The public surface of a package, read from its sources: one line for each item that whoever depends on it can name.
//!
//! It follows `pub mod` and `pub use` from the root, also out of private modules and through globs, and leaves out what
//! is `#[doc(hidden)]` or there in tests only. An item stands under its shortest public path; its other paths are lines
//! that say so. Items that a `macro_rules!` of the same file makes are expanded. Types in signatures stay as they are
//! written. Auto traits and what a private type brings along (`impl Trait`) are beyond it.
mod expand;
mod render;
mod scope;

use crate::Source;
use render::{is_out, is_public, item, member, plain, trait_impl};
use scope::{Place, Scope, leaves, type_path};
use std::collections::{BTreeMap, BTreeSet};
use syn::Item;
use syn::visit::Visit;

/// One line, and the path that it is sorted by; impls come after the type itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) path: String,
    is_impl: bool,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn new(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), is_impl: text.starts_with("impl"), text }
    }
}

/// The surface of a package.
#[derive(Debug, Default)]
pub struct Surface {
    /// One for each item, sorted by path.
    pub lines: Vec<String>,
    /// What the reader did not understand, and types that signatures speak of and nobody can name.
    pub findings: Vec<String>,
}

impl Surface {
    /// Reads the package whose root is the `lib.rs` among `sources`.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        let mut reader = Reader { scope: Scope::of(sources), ..Reader::default() };
        reader.expose(&[], "");
        reader.read_items();
        reader.read_impls();
        reader.lines.sort();
        reader.lines.dedup();
        let mut findings = reader.scope.findings;
        findings.extend(reader.findings);
        Self { lines: reader.lines.into_iter().map(|line| line.text).collect(), findings }
    }
}

/// Lines of `present` that `known` lacks, with a `+`, and the other way round with a `-`.
#[must_use]
pub fn differences(known: &[String], present: &[String]) -> Vec<String> {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (known.iter().collect(), present.iter().collect());
    let gone = known.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    gone.chain(present.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"))).collect()
}

#[derive(Default)]
struct Reader {
    scope: Scope,
    /// Every public item, by the module that defines it and its name there: its public paths.
    names: BTreeMap<Place, BTreeSet<String>>,
    /// Modules whose items were named under a path, which ends loops of re-exports.
    exposed: BTreeSet<(Vec<String>, String)>,
    lines: Vec<Line>,
    findings: Vec<String>,
}

impl Reader {
    /// Names the public items of `module` under `path`.
    fn expose(&mut self, module: &[String], path: &str) {
        if !self.exposed.insert((module.to_vec(), path.to_owned())) {
            return;
        }
        for it in self.scope.items(module).to_vec() {
            match &it {
                Item::Mod(it) if is_public(&it.vis) && !is_out(&it.attrs) => {
                    let name = it.ident.to_string();
                    self.expose_module(&[module, std::slice::from_ref(&name)].concat(), &below(path, &name));
                }
                Item::Use(it) if is_public(&it.vis) && !is_out(&it.attrs) => self.expose_use(module, path, it),
                Item::Mod(_) | Item::Use(_) | Item::Impl(_) => {}
                other => {
                    if let Some((name, vis, attrs)) = scope::head(other)
                        && is_public(vis)
                        && !is_out(attrs)
                    {
                        self.name(Place { module: module.to_vec(), name: name.clone() }, below(path, &name));
                    }
                }
            }
        }
    }

    fn expose_module(&mut self, module: &[String], path: &str) {
        self.lines.push(Line::new(path, format!("pub mod {path}")));
        self.expose(module, path);
    }

    fn expose_use(&mut self, module: &[String], path: &str, it: &syn::ItemUse) {
        for leaf in leaves(&it.tree) {
            let target = self.scope.resolve(module, &leaf.path);
            match (target, leaf.name) {
                (Some(scope::Target::Module(target)), None) => self.expose(&target, path),
                (Some(scope::Target::Module(target)), Some(name)) => self.expose_module(&target, &below(path, &name)),
                (Some(scope::Target::Item(place)), Some(name)) => self.name(place, below(path, &name)),
                (_, name) => {
                    let path = below(path, name.as_deref().unwrap_or("*"));
                    self.lines.push(Line::new(&path, format!("pub use {path} of {}", leaf.path.join("::"))));
                }
            }
        }
    }

    fn name(&mut self, place: Place, path: String) {
        self.names.entry(place).or_default().insert(path);
    }

    /// The shortest public path of an item.
    fn path(&self, place: &Place) -> Option<String> {
        self.names.get(place)?.iter().min_by_key(|path| path.matches("::").count()).cloned()
    }

    fn read_items(&mut self) {
        for (place, paths) in self.names.clone() {
            let path = self.path(&place).unwrap_or_default();
            for it in self.scope.named(&place) {
                self.mentions(&place.module, &path, &public_part(&it));
                self.lines.extend(item(&path, &it));
            }
            let others = paths.iter().filter(|other| **other != path);
            self.lines.extend(others.map(|other| Line::new(other, format!("pub use {other} of {path}"))));
        }
    }

    fn read_impls(&mut self) {
        for (module, it) in self.scope.impls() {
            match &it.trait_ {
                None => self.read_members(&module, &it),
                Some((name, _)) => self.read_trait_impl(&module, name, &it),
            }
        }
    }

    fn read_members(&mut self, module: &[String], it: &syn::ItemImpl) {
        let Some(path) = self.public_type(module, &it.self_ty) else { return };
        for found in &it.items {
            if let Some(line) = member(&path, found) {
                let mut it = found.clone();
                if let syn::ImplItem::Fn(it) = &mut it {
                    it.block.stmts.clear();
                }
                self.mentions(module, &line.path, &it);
                self.lines.push(line);
            }
        }
    }

    fn read_trait_impl(&mut self, module: &[String], name: &syn::Path, it: &syn::ItemImpl) {
        if self.hidden(module, name) {
            return;
        }
        let written = plain(&it.self_ty);
        if let Some(path) = self.public_type(module, &it.self_ty) {
            let own = type_path(&it.self_ty).map(plain).unwrap_or_default();
            let bare = own.split('<').next().unwrap_or_default();
            let subject = written.replacen(bare, &path, 1);
            self.lines.push(trait_impl(&path, &subject, name, it));
        } else if let Some(path) = self.argument(module, name) {
            self.lines.push(trait_impl(&path, &written, name, it));
        }
    }

    /// Whether a trait, or a type among its arguments, is of this package and has no public path.
    fn hidden(&self, module: &[String], name: &syn::Path) -> bool {
        let mut paths = Paths::default();
        paths.visit_path(name);
        let all = paths.0.into_iter().chain([scope::segments(name)]);
        all.filter_map(|path| self.scope.resolve(module, &path))
            .any(|target| matches!(&target, scope::Target::Item(place) if !self.names.contains_key(place)))
    }

    /// The public path of a type of this package, also behind a reference.
    fn public_type(&self, module: &[String], ty: &syn::Type) -> Option<String> {
        match self.scope.resolve(module, &scope::segments(type_path(ty)?))? {
            scope::Target::Item(place) => self.path(&place),
            scope::Target::Module(_) => None,
        }
    }

    /// The public type that a foreign trait is implemented with for a foreign type: `From<Ours> for Theirs`.
    fn argument(&self, module: &[String], name: &syn::Path) -> Option<String> {
        let syn::PathArguments::AngleBracketed(arguments) = &name.segments.last()?.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            syn::GenericArgument::Type(ty) => self.public_type(module, ty),
            _ => None,
        })
    }

    /// Notes the types of this package in `syntax` that have no public path.
    fn mentions<T: quote::ToTokens + Walk>(&mut self, module: &[String], path: &str, syntax: &T) {
        let mut paths = Paths::default();
        syntax.walk(&mut paths);
        for found in paths.0 {
            if let Some(scope::Target::Item(place)) = self.scope.resolve(module, &found)
                && !self.names.contains_key(&place)
            {
                let hidden = [place.module.as_slice(), &[place.name]].concat().join("::");
                self.findings.push(format!("`{path}` speaks of `{hidden}`, which has no public path"));
            }
        }
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

/// An item without what callers do not see: private fields, bodies, values.
fn public_part(it: &Item) -> Item {
    let mut it = it.clone();
    match &mut it {
        Item::Fn(it) => it.block.stmts.clear(),
        Item::Struct(it) => {
            let fields = match &mut it.fields {
                syn::Fields::Named(fields) => &mut fields.named,
                syn::Fields::Unnamed(fields) => &mut fields.unnamed,
                syn::Fields::Unit => return Item::Struct(it.clone()),
            };
            *fields = std::mem::take(fields).into_iter().filter(|field| is_public(&field.vis)).collect();
        }
        Item::Const(it) => *it.expr = syn::Expr::Verbatim(proc_macro2::TokenStream::new()),
        _ => {}
    }
    it
}

/// Every path in types, as its segments.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_type_path(&mut self, ty: &'ast syn::TypePath) {
        self.0.push(scope::segments(&ty.path));
        syn::visit::visit_type_path(self, ty);
    }

    fn visit_trait_bound(&mut self, bound: &'ast syn::TraitBound) {
        self.0.push(scope::segments(&bound.path));
        syn::visit::visit_trait_bound(self, bound);
    }
}

/// Syntax that can be walked.
trait Walk {
    fn walk(&self, paths: &mut Paths);
}

impl Walk for Item {
    fn walk(&self, paths: &mut Paths) {
        paths.visit_item(self);
    }
}

impl Walk for syn::ImplItem {
    fn walk(&self, paths: &mut Paths) {
        paths.visit_impl_item(self);
    }
}

#[cfg(test)]
mod tests;
