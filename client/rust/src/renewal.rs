use crate::credentials::Contents;

/// Decides when changed files are complete: a set is new if two reads in a row have it.
pub(crate) struct Renewal {
    /// The last set that was checked.
    checked: Contents,
    candidate: Option<Contents>,
}

impl Renewal {
    pub fn new(checked: Contents) -> Renewal {
        Renewal { checked, candidate: None }
    }

    /// Takes a read of the files. Returns whether this set is new, and must be checked.
    pub fn observe(&mut self, read: &Contents) -> bool {
        if *read == self.checked {
            self.candidate = None;
            return false;
        }
        if self.candidate.as_ref() == Some(read) {
            self.force(read);
            return true;
        }
        self.candidate = Some(read.clone());
        false
    }

    /// Takes a read that is checked at once. Returns whether this set is new.
    pub fn force(&mut self, read: &Contents) -> bool {
        self.candidate = None;
        let new = *read != self.checked;
        if new {
            self.checked = read.clone();
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str) -> Contents {
        Contents::of("ca", "certificate", key)
    }

    #[test]
    fn set_is_new_at_its_second_read() {
        let mut renewal = Renewal::new(set("1"));
        let reads = ["1", "2", "2", "2", "1", "1"].map(|key| renewal.observe(&set(key)));
        assert_eq!([false, false, true, false, false, true], reads);
    }

    #[test]
    fn half_written_set_is_not_new() {
        let mut renewal = Renewal::new(set("1"));
        let reads = ["2", "3", "1", "2", "3"].map(|key| renewal.observe(&set(key)));
        assert_eq!([false; 5], reads);
    }

    #[test]
    fn forced_read_is_new_at_once() {
        let mut renewal = Renewal::new(set("1"));
        assert!(!renewal.force(&set("1")));
        assert!(renewal.force(&set("2")));
        assert!(!renewal.force(&set("2")));
        assert!(!renewal.observe(&set("2")));
    }
}
