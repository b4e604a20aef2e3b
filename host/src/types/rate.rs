use std::time::{Duration, Instant};

/// Lets through so many things at once and so many per second in the long run.
#[derive(Debug)]
pub struct TokenBucket {
    burst: u32,
    per_second: u32,
    tokens: f64,
    filled: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that regains `per_second` of them.
    pub fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second, tokens: f64::from(burst), filled: None }
    }

    /// Takes one token if there is one at `now`.
    pub fn take(&mut self, now: Instant) -> bool {
        let elapsed = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * f64::from(self.per_second)).min(f64::from(self.burst));
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2, 10);
        assert_eq!([bucket.take(start), bucket.take(start), bucket.take(start)], [true, true, false]);
        assert!(!bucket.take(start + Duration::from_millis(99)));
        assert!(bucket.take(start + Duration::from_millis(101)));
        let later = start + Duration::from_secs(60);
        assert_eq!([bucket.take(later), bucket.take(later), bucket.take(later)], [true, true, false]);
    }
}
