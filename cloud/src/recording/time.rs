//! The time in a stream: a clock of a publisher that wraps or jumps does not change the length of a recording.

/// How far the publisher's clock may go forward and back between two tags; any other step is a jump of the clock, and
/// counts as one picture.
const MAX_STEP: i32 = 60_000;
const MAX_STEP_BACK: i32 = 5_000;
const STEP_AT_JUMP: u64 = 40;

/// The time since the start of a stream: the publisher's clock may wrap, and jump.
#[derive(Debug, Default)]
pub(super) struct StreamTime {
    last: Option<u32>,
    elapsed: u64,
}

impl StreamTime {
    /// The time of a tag, in milliseconds since the first one.
    pub(super) fn of(&mut self, time: u32) -> u64 {
        let Some(last) = self.last else {
            self.last = Some(time);
            return 0;
        };
        let step = time.wrapping_sub(last).cast_signed();
        if (-MAX_STEP_BACK..0).contains(&step) {
            // Audio and video are not exactly in order.
            return self.elapsed.saturating_sub(u64::from(step.unsigned_abs()));
        }
        let step = if (0..=MAX_STEP).contains(&step) { u64::from(step.unsigned_abs()) } else { STEP_AT_JUMP };
        self.last = Some(time);
        self.elapsed += step;
        self.elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_the_publisher_that_wraps_or_jumps_does_not_change_the_length() {
        let mut time = StreamTime::default();
        let times = [u32::MAX - 99, u32::MAX, 900, 880, 940, 3_000_000_000, 3_000_000_040, 5];
        assert_eq!(times.map(|at| time.of(at)), [0, 99, 1000, 980, 1040, 1080, 1120, 1160]);
    }
}
