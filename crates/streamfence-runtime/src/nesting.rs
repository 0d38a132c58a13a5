//! How deep JSON nests: parsers of those who are sent it may run out of stack.

/// How many arrays and objects of what somebody publishes may lie in each other, whichever way it comes in. Parsers of
/// clients that are sent a deeper one may run out of stack: the common ones take from some hundred on.
pub const MAX_DEPTH: usize = 64;

/// Whether a JSON text nests deeper than so many arrays and objects. It need not be JSON: nothing is promised of what is
/// not. What reads it takes no stack.
///
/// ```
/// use streamfence_runtime::nests_deeper_than;
///
/// assert!(nests_deeper_than(br#"{"a":[1]}"#, 1) && !nests_deeper_than(br#"{"a":[1]}"#, 2));
/// ```
pub fn nests_deeper_than(text: &[u8], most: usize) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for &byte in text {
        if is_string {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_arrays_and_objects_alone() {
        for (text, depth) in [
            ("7", 0),
            (r#"["publish",{"topic":"a","payload":1}]"#, 2),
            (r#"[{"a":"[[[[[[{{{{{{"}]"#, 2),
            (r#"["\"[[[[",["\\",[]]]"#, 3),
            ("[[],[],[[]]]", 3),
            ("]]]][", 1),
            ("", 0),
        ] {
            assert!(!nests_deeper_than(text.as_bytes(), depth), "{text}");
            assert!(depth == 0 || nests_deeper_than(text.as_bytes(), depth - 1), "{text}");
        }
        assert!(nests_deeper_than("[".repeat(100_000).as_bytes(), 64));
    }
}
