//! Prints a C program that compiles only where the header's structs lie in memory as the library's do.
#[path = "mod.rs"]
mod layout;

fn main() {
    print!("{}", layout::program());
}
