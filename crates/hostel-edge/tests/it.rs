//! The edge over real sockets on the loopback interface. Tests named
//! `row_NN_…` prove the row of that number of the threat model.

#[cfg(test)]
mod it {
    mod flood;
    mod goodbye;
    mod hostile_frames;
    mod requests;
    mod slow;
    mod smuggling;
    mod support;
    mod tls;
}
