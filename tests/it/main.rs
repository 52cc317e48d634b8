fn main() {}
mod linkage;
mod vectors;
