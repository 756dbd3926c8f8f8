//! The binary, driven from outside.

#[cfg(test)]
mod it {
    mod commands;
    mod doctor;
    mod fake;
    mod listen;
    mod past;
    mod real;
    mod run;
    mod secrets;
    mod server;
    mod tokens;
    mod travel;
}
