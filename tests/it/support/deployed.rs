//! A deployment in a temporary directory, made with our own commands, and its processes.
