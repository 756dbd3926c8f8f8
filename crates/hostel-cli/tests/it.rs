//! The binary, driven from outside.

#[cfg(test)]
mod it {
    #[cfg(target_os = "linux")]
    mod carried;
    #[cfg(target_os = "linux")]
    mod chat;
    mod commands;
    #[cfg(target_os = "linux")]
    mod cut_off;
    mod doctor;
    mod fake;
    #[cfg(target_os = "linux")]
    mod hands;
    #[cfg(target_os = "linux")]
    mod hands_beside;
    #[cfg(target_os = "linux")]
    mod hands_twice;
    #[cfg(target_os = "linux")]
    mod injected;
    #[cfg(target_os = "linux")]
    mod lending;
    mod listen;
    mod past;
    #[cfg(target_os = "linux")]
    mod pty;
    mod real;
    mod run;
    mod secrets;
    mod server;
    mod tokens;
    mod travel;
}
