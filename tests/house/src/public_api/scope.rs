//! The modules of a package, and where a path leads.
use super::expand::expand;
use super::render::is_out;
use crate::Source;
use proc_macro2::TokenStream;
use std::collections::BTreeMap;
use syn::{Attribute, Item, UseTree, Visibility};

/// The item of a name in the module that defines it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub module: Vec<String>,
    pub name: String,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Module(Vec<String>),
    Item(Place),
}

/// One name that a `use` brings in; without a name of its own, all of a module.
pub struct Leaf {
    pub path: Vec<String>,
    pub name: Option<String>,
}

/// How many re-exports a path may go through.
const DEPTH: usize = 16;

/// The items of every module, macros expanded.
#[derive(Default)]
pub struct Scope {
    modules: BTreeMap<Vec<String>, Vec<Item>>,
    /// Macros that could not be expanded.
    pub findings: Vec<String>,
}

impl Scope {
    /// Reads every source that is no test.
    pub fn of(sources: &[Source]) -> Self {
        let mut scope = Self::default();
        for source in sources.iter().filter(|source| !source.is_test()) {
            let Some(module) = source.module() else { continue };
            let module: Vec<String> = module.into_iter().map(str::to_owned).collect();
            scope.add(&source.path, module, source.file.items.clone(), &mut BTreeMap::new());
        }
        scope
    }

    fn add(&mut self, path: &str, module: Vec<String>, items: Vec<Item>, macros: &mut BTreeMap<String, TokenStream>) {
        self.modules.entry(module.clone()).or_default();
        for item in items {
            match item {
                Item::Mod(mut it) if !is_out_of_build(&it.attrs) => {
                    let inside = it.content.take().map(|(_, items)| items);
                    let child = [module.as_slice(), &[it.ident.to_string()]].concat();
                    if let Some(items) = inside {
                        self.add(path, child, items, macros);
                    }
                    self.push(&module, Item::Mod(it));
                }
                Item::Macro(it) => match (&it.ident, it.mac.path.get_ident().map(ToString::to_string)) {
                    (Some(name), _) => drop(macros.insert(name.to_string(), it.mac.tokens)),
                    (None, Some(name)) => match self.expanded(macros.get(&name), &it.mac.tokens) {
                        Ok(items) => self.add(path, module.clone(), items, macros),
                        Err(error) => self.findings.push(format!("{path}: `{name}!` is not understood: {error}")),
                    },
                    _ => self.findings.push(format!("{path}: a macro from elsewhere makes items")),
                },
                other => self.push(&module, other),
            }
        }
    }

    fn push(&mut self, module: &[String], item: Item) {
        self.modules.entry(module.to_vec()).or_default().push(item);
    }

    fn expanded(&self, rules: Option<&TokenStream>, input: &TokenStream) -> Result<Vec<Item>, String> {
        let made = expand(rules.ok_or("it is not of this file")?, input)?;
        Ok(syn::parse2::<syn::File>(made).map_err(|error| error.to_string())?.items)
    }

    /// The items of a module.
    pub fn items(&self, module: &[String]) -> &[Item] {
        self.modules.get(module).map_or(&[], Vec::as_slice)
    }

    /// The items of a name: a type and a function may share one.
    pub fn named(&self, place: &Place) -> Vec<Item> {
        let is_it = |item: &&Item| {
            head(item).is_some_and(|(name, _, attrs)| name == place.name && !is_out(attrs))
                && !matches!(item, Item::Mod(_))
        };
        self.items(&place.module).iter().filter(is_it).cloned().collect()
    }

    /// Every impl, with its module.
    pub fn impls(&self) -> Vec<(Vec<String>, syn::ItemImpl)> {
        let all = self.modules.iter().flat_map(|(module, items)| items.iter().map(move |item| (module, item)));
        all.filter_map(|(module, item)| match item {
            Item::Impl(it) if !is_out(&it.attrs) => Some((module.clone(), it.clone())),
            _ => None,
        })
        .collect()
    }

    /// Where `path` leads, looked up in `module`; `None` when it leads out of the package or to what is no item.
    pub fn resolve(&self, module: &[String], path: &[String]) -> Option<Target> {
        self.resolve_within(module, path, DEPTH)
    }

    fn resolve_within(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(module.to_vec()),
            "super" => Target::Module(module.split_last()?.1.to_vec()),
            name => self.lookup(module, name, depth)?,
        };
        while let Some((name, further)) = rest.split_first() {
            target = match target {
                Target::Module(module) if name == "super" => Target::Module(module.split_last()?.1.to_vec()),
                Target::Module(module) => self.lookup(&module, name, depth)?,
                // A variant or an associated item: the path leads to its type.
                Target::Item(place) => return Some(Target::Item(place)),
            };
            rest = further;
        }
        Some(target)
    }

    /// What a name means in a module: its own item, or what a `use` brings in.
    fn lookup(&self, module: &[String], name: &str, depth: usize) -> Option<Target> {
        let depth = depth.checked_sub(1)?;
        let items = self.items(module);
        if items.iter().any(|item| matches!(item, Item::Mod(it) if it.ident == name)) {
            return Some(Target::Module([module, &[name.to_owned()]].concat()));
        }
        if items.iter().any(|item| head(item).is_some_and(|(own, _, _)| own == name)) {
            return Some(Target::Item(Place { module: module.to_vec(), name: name.to_owned() }));
        }
        let uses =
            || items.iter().filter_map(|item| if let Item::Use(it) = item { Some(leaves(&it.tree)) } else { None });
        let named = uses().flatten().find(|leaf| leaf.name.as_deref() == Some(name));
        if let Some(leaf) = named {
            // A name that is brought in under itself is that of another crate.
            return (leaf.path != [name]).then(|| self.resolve_within(module, &leaf.path, depth)).flatten();
        }
        uses().flatten().filter(|leaf| leaf.name.is_none()).find_map(|leaf| {
            match self.resolve_within(module, &leaf.path, depth)? {
                Target::Module(of) if of != module => self.lookup(&of, name, depth),
                _ => None,
            }
        })
    }
}

/// Whether an item is compiled for tests only.
fn is_out_of_build(attrs: &[Attribute]) -> bool {
    let is_cfg_test = |attr: &Attribute| {
        attr.path().is_ident("cfg") && attr.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attrs.iter().any(is_cfg_test)
}

/// The name, visibility and attributes of an item that has a name.
pub fn head(item: &Item) -> Option<(String, &Visibility, &[Attribute])> {
    let (name, vis, attrs) = match item {
        Item::Const(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Enum(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Fn(it) => (&it.sig.ident, &it.vis, &it.attrs),
        Item::Mod(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Static(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Struct(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Trait(it) => (&it.ident, &it.vis, &it.attrs),
        Item::TraitAlias(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Type(it) => (&it.ident, &it.vis, &it.attrs),
        Item::Union(it) => (&it.ident, &it.vis, &it.attrs),
        _ => return None,
    };
    Some((name.to_string(), vis, attrs))
}

/// The names of a path, arguments left out.
pub fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// The path of a type, also behind references.
pub fn type_path(ty: &syn::Type) -> Option<&syn::Path> {
    match ty {
        syn::Type::Path(ty) if ty.qself.is_none() => Some(&ty.path),
        syn::Type::Reference(ty) => type_path(&ty.elem),
        _ => None,
    }
}

/// Every name that a tree of `use` brings in.
pub fn leaves(tree: &UseTree) -> Vec<Leaf> {
    let mut all = Vec::new();
    grow(tree, &[], &mut all);
    all
}

fn grow(tree: &UseTree, above: &[String], all: &mut Vec<Leaf>) {
    let with = |name: &syn::Ident| [above, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(it) => grow(&it.tree, &with(&it.ident), all),
        UseTree::Group(it) => it.items.iter().for_each(|tree| grow(tree, above, all)),
        UseTree::Glob(_) => all.push(Leaf { path: above.to_vec(), name: None }),
        UseTree::Name(it) if it.ident == "self" => {
            all.push(Leaf { path: above.to_vec(), name: above.last().cloned() });
        }
        UseTree::Name(it) => all.push(Leaf { path: with(&it.ident), name: Some(it.ident.to_string()) }),
        UseTree::Rename(it) if it.ident == "self" => {
            all.push(Leaf { path: above.to_vec(), name: Some(it.rename.to_string()) });
        }
        UseTree::Rename(it) => all.push(Leaf { path: with(&it.ident), name: Some(it.rename.to_string()) }),
    }
}
