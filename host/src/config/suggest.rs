/// The known name that a person may have meant, if one is close enough.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in three characters: more and the guess is as likely wrong. An ending may be forgotten.
    let slips_max = (name.chars().count() / 3).max(1);
    let slips = |candidate: &str| match candidate.strip_prefix(name) {
        Some(_) if name.len() >= 4 => 0,
        _ => strsim::damerau_levenshtein(name, candidate),
    };
    known
        .into_iter()
        .map(|candidate| (slips(candidate), candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, candidate)| (*slips, candidate.len()))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_close_name_is_suggested() {
        let known = ["allow-anonymous", "password-file", "plugins"];
        assert_eq!(nearest("alow-anonymus", known), Some("allow-anonymous"));
        assert_eq!(nearest("plugin", known), Some("plugins"));
        assert_eq!(nearest("pass", known), Some("password-file"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest("persistence", known), None);
    }
}
