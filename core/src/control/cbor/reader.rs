//! Reading.
use super::{ARRAY, BYTES, FALSE, Fault, MAP, MAX_DEPTH, MAX_KEY, MUST, SIMPLE, TAG, TEXT, TRUE, UINT};

/// Reads items one after the other. After a fault, what it stands at has no meaning.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all was read.
    pub fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::Trailing) }
    }

    /// A number from 0 to 2^64 - 1.
    pub fn uint(&mut self) -> Result<u64, Fault> {
        self.head_of(UINT)
    }

    /// A number that `T` holds.
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Fault> {
        T::try_from(self.uint()?).map_err(|_| Fault::Range)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.head_of(BYTES)?;
        self.take(len)
    }

    /// A byte string of `N` bytes.
    pub fn array_of_bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.bytes()?.try_into().map_err(|_| Fault::Range)
    }

    /// A text of `max` bytes at most.
    pub fn text(&mut self, max: usize) -> Result<&'a str, Fault> {
        let len = self.head_of(TEXT)?;
        let bytes = self.take(len)?;
        if bytes.len() > max {
            return Err(Fault::Range);
        }
        core::str::from_utf8(bytes).map_err(|_| Fault::Text)
    }

    /// `false` or `true`.
    pub fn bool(&mut self) -> Result<bool, Fault> {
        match self.take(1)? {
            [FALSE] => Ok(false),
            [TRUE] => Ok(true),
            _ => Err(Fault::Type),
        }
    }

    /// The head of an array: how many items follow, `max` at most.
    pub fn array(&mut self, max: usize) -> Result<usize, Fault> {
        let count = self.head_of(ARRAY)?;
        match usize::try_from(count) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(Fault::TooMany),
        }
    }

    /// A map. `entry` is called with each key but [`MUST`], and reads its value or says `false`: it does not know the key.
    pub fn map(&mut self, mut entry: impl FnMut(u8, &mut Self) -> Result<bool, Fault>) -> Result<(), Fault> {
        let count = self.head_of(MAP)?;
        let (mut seen, mut unknown, mut must) = (0_u64, 0_u64, 0_u64);
        for _ in 0..count {
            let key = self.key()?;
            let bit = 1_u64.wrapping_shl(key.into());
            if seen & bit != 0 {
                return Err(Fault::Duplicate);
            }
            seen |= bit;
            if key == MUST {
                must = self.must()?;
            } else if !entry(key, self)? {
                unknown |= bit;
                self.skip()?;
            }
        }
        match must & unknown {
            0 => Ok(()),
            keys => Err(Fault::Must(keys.trailing_zeros() as u8)),
        }
    }

    /// Passes over one item, whatever it is.
    pub fn skip(&mut self) -> Result<(), Fault> {
        let mut open = [0_u64; MAX_DEPTH];
        let mut depth = 0_usize;
        loop {
            match self.inner_items()? {
                0 => {}
                count => {
                    *open.get_mut(depth).ok_or(Fault::Deep)? = count;
                    depth = depth.saturating_add(1);
                    continue;
                }
            }
            // An item ends here, and with it all those whose last it is.
            loop {
                let Some(above) = depth.checked_sub(1) else { return Ok(()) };
                let left = open.get_mut(above).ok_or(Fault::Deep)?;
                *left = left.saturating_sub(1);
                if *left > 0 {
                    break;
                }
                depth = above;
            }
        }
    }

    /// Reads a head and, of a string, its content; returns how many items follow that are part of it.
    fn inner_items(&mut self) -> Result<u64, Fault> {
        let (major, argument) = self.head()?;
        let count = match major {
            BYTES => self.take(argument).map(|_| 0)?,
            TEXT => core::str::from_utf8(self.take(argument)?).map(|_| 0).map_err(|_| Fault::Text)?,
            ARRAY => argument,
            MAP => argument.checked_mul(2).ok_or(Fault::Cut)?,
            TAG => 1,
            _ => 0,
        };
        // Each of them takes a byte at least.
        if count > self.rest.len() as u64 { Err(Fault::Cut) } else { Ok(count) }
    }

    /// The keys listed under [`MUST`], one bit each.
    fn must(&mut self) -> Result<u64, Fault> {
        let mut keys = 0_u64;
        for _ in 0..self.array(usize::from(MAX_KEY))? {
            keys |= 1_u64.wrapping_shl(self.key()?.into());
        }
        Ok(keys)
    }

    fn key(&mut self) -> Result<u8, Fault> {
        match self.head()? {
            (UINT, key) if key <= MAX_KEY.into() => Ok(key as u8),
            _ => Err(Fault::Key),
        }
    }

    fn head_of(&mut self, wanted: u8) -> Result<u64, Fault> {
        match self.head()? {
            (major, argument) if major == wanted => Ok(argument),
            _ => Err(Fault::Type),
        }
    }

    /// Major type and argument of the next item (RFC 8949 § 3).
    fn head(&mut self) -> Result<(u8, u64), Fault> {
        let (first, rest) = self.rest.split_first().ok_or(Fault::Cut)?;
        self.rest = rest;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => return Ok((major, info.into())),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => return Err(Fault::Indefinite),
            _ => return Err(Fault::Reserved),
        };
        let argument = self.take(width)?.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let least = match (major, info) {
            // The bytes of a float are no number that could be written shorter.
            (SIMPLE, 25..) => 0,
            (SIMPLE, _) => 32,
            (_, 24) => 24,
            (_, 25) => 1 << 8,
            (_, 26) => 1 << 16,
            _ => 1 << 32,
        };
        if argument < least { Err(Fault::NotShortest) } else { Ok((major, argument)) }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Fault> {
        let len = usize::try_from(len).map_err(|_| Fault::Cut)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Fault::Cut)?;
        self.rest = rest;
        Ok(taken)
    }
}
