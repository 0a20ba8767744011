//! Sizes: files of 500 lines at most, functions of 60.
use crate::Source;
use syn::spanned::Spanned;
use syn::visit::Visit;

/// Lines of a file.
pub const FILE_LINES: usize = 500;
/// Lines of a function, from `fn` to the closing brace.
pub const FUNCTION_LINES: usize = 60;
/// Kinds of files that the limit is for.
const CODE: &[&str] = &[".rs", ".c", ".h", ".hpp", ".kt", ".swift", ".sh"];
/// Files that no person writes, or that are tables.
const EXEMPT: &[&str] = &["include/underpass.h", "/generated/", "tests/vectors/", "/corpus/"];

/// Files that are too long.
pub fn long_file(path: &str, text: &str) -> Option<String> {
    let is_code = CODE.iter().any(|suffix| path.ends_with(suffix));
    let is_exempt = EXEMPT.iter().any(|part| path.contains(part));
    let lines = text.lines().count();
    (is_code && !is_exempt && lines > FILE_LINES).then(|| format!("{path}: {lines} lines, {FILE_LINES} at most"))
}

/// Functions that are too long. Tables do not count: a body that is one `match`, and the rows of an array bound by `let`.
#[must_use]
pub fn long_functions(source: &Source) -> Vec<String> {
    let mut visitor = Functions { path: &source.path, findings: Vec::new() };
    visitor.visit_file(&source.file);
    visitor.findings
}

struct Functions<'a> {
    path: &'a str,
    findings: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let rows: usize = block.stmts.iter().map(table_rows).sum();
        let lines = block.span().end().line + 1 - first - rows;
        if lines > FUNCTION_LINES && !is_table(block) {
            let name = &signature.ident;
            let path = self.path;
            self.findings.push(format!("{path}:{first}: `{name}` has {lines} lines, {FUNCTION_LINES} at most"));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

/// Whether the last statement is a `match` and at most one `let` stands before it.
fn is_table(block: &syn::Block) -> bool {
    let is_match = |stmt: &syn::Stmt| matches!(stmt, syn::Stmt::Expr(syn::Expr::Match(_), _));
    block.stmts.len() <= 2 && block.stmts.last().is_some_and(is_match)
}

/// Lines of the rows of a table: `let rows = [`, rows, `];`.
fn table_rows(stmt: &syn::Stmt) -> usize {
    let syn::Stmt::Local(local) = stmt else { return 0 };
    match local.init.as_ref().map(|init| &*init.expr) {
        Some(syn::Expr::Array(rows)) => rows.span().end().line - rows.span().start().line,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_501_lines_is_too_long_unless_it_is_no_code_or_generated() {
        let (fits, long) = ("x\n".repeat(500), "x\n".repeat(501));
        for (path, text, found) in [
            ("core/src/a.rs", &fits, false),
            ("core/src/a.rs", &long, true),
            ("android/A.kt", &long, true),
            ("include/underpass.h", &long, false),
            ("docs/a.md", &long, false),
            ("tests/vectors/a.rs", &long, false),
        ] {
            assert_eq!(long_file(path, text).is_some(), found, "{path}");
        }
    }

    #[test]
    fn a_function_of_61_lines_is_too_long_unless_it_is_a_table() {
        let (calls, arms, rows) = ("g();\n".repeat(58), "1 => 2,\n".repeat(90), "1,\n".repeat(90));
        for (text, found) in [
            (format!("fn f() {{\n{calls}}}"), 0),
            (format!("fn f() {{\n{calls}g();\n}}"), 1),
            (format!("fn f() {{ let rows = [\n{rows}\n];\n{calls}}}"), 0),
            (format!("fn f() {{ let rows = [\n{rows}\n];\n{calls}g();\n}}"), 1),
            (format!("impl A {{ fn f() {{\n{calls}g();\n}} }}"), 1),
            (format!("mod m {{ trait A {{ fn f() {{\n{calls}g();\n}} }} }}"), 1),
            (format!("fn f() {{ match x {{\n{arms} _ => 0 }} }}"), 0),
            (format!("fn f() {{ g(); g(); match x {{\n{arms} _ => 0 }} }}"), 1),
        ] {
            assert_eq!(long_functions(&Source::new("a.rs", &text)).len(), found, "{text}");
        }
    }
}
