//! Outbound HTTP against real listeners on the loopback interface.

#[cfg(test)]
mod it {
    mod reach;
}
