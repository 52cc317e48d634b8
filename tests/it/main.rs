//! Tests of the whole, through public interfaces only. `tests/run` installs what they need of other languages first.

mod jose;
mod keys;
