//! The test vectors that all clients share.

use std::fs;

use serde_json::Value;

pub fn vectors() -> Value {
    serde_json::from_slice(&fs::read("../vectors/vectors.json").unwrap()).unwrap()
}

pub fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
