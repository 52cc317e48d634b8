fn main() {}
mod linkage;
