//! Tests of codes and refusals.

use super::*;

#[test]
fn every_code_reads_back_from_its_text() {
    for code in Code::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
    }
    assert!("nope".parse::<Code>().is_err());
}
