//! Fuzzes `fuzz::handshake`. Built without libFuzzer it runs the inputs that it is given as files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz::handshake::run(input);
});

#[cfg(not(fuzzing))]
fn main() {
    fuzz::replay(fuzz::handshake::run);
}
