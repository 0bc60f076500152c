//! The choices behind one generated statement: seeded, recorded, and replayable with parts cut out, so that a failing statement shrinks.

/// A source of choices. A replayed tape that runs out answers 0, and 0 is always the simplest choice.
#[derive(Debug, Clone)]
pub struct Tape {
    state: u64,
    replay: Option<Vec<u32>>,
    pub drawn: Vec<u32>,
}

impl Tape {
    /// A tape of fresh choices (SplitMix64: the same on every machine and for ever).
    pub fn seeded(seed: u64) -> Self {
        Self {
            state: seed,
            replay: None,
            drawn: Vec::new(),
        }
    }

    /// A tape that repeats recorded choices.
    pub fn replayed(choices: Vec<u32>) -> Self {
        Self {
            state: 0,
            replay: Some(choices),
            drawn: Vec::new(),
        }
    }

    fn draw(&mut self) -> u32 {
        let value = match &self.replay {
            Some(choices) => choices.get(self.drawn.len()).copied().unwrap_or(0),
            None => {
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = self.state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 40) as u32
            }
        };
        self.drawn.push(value);
        value
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        self.draw() as usize % n
    }

    /// True in `percent` of a hundred cases; false on the simplest tape.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.draw() % 100 >= 100 - percent
    }

    /// One of the given, the first being the simplest.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// An index, each with its own weight.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut at = self.draw() % total.max(1);
        for (i, w) in weights.iter().enumerate() {
            if at < *w {
                return i;
            }
            at -= w;
        }
        0
    }
}

/// Makes the choices shorter and smaller as long as `still_fails` says so; at most `tries` attempts.
pub fn shrink(choices: &[u32], tries: usize, mut still_fails: impl FnMut(&[u32]) -> bool) -> Vec<u32> {
    let mut best = choices.to_vec();
    let mut left = tries;
    let mut width = best.len() / 2;
    while width > 0 && left > 0 {
        let mut at = 0;
        while at < best.len() && left > 0 {
            let end = (at + width).min(best.len());
            let mut cut = best.clone();
            cut.drain(at..end);
            left -= 1;
            if still_fails(&cut) {
                best = cut;
                continue;
            }
            if best[at..end].iter().any(|&v| v != 0) && left > 0 {
                let mut zeroed = best.clone();
                zeroed[at..end].fill(0);
                left -= 1;
                if still_fails(&zeroed) {
                    best = zeroed;
                }
            }
            at = end;
        }
        width /= 2;
    }
    best
}
