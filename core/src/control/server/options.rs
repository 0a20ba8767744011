//! What the options of a request say.
use crate::control::coap::{Block, Code, Options, SMALL_BLOCK, View, number, uint};
use crate::control::exchange::CBOR;
use crate::control::message::Target;

/// Segments of the longest path, and one more by which longer ones are seen.
const SEGMENTS: usize = 5;
/// Values of Observe in a request (RFC 7641 § 2).
const REGISTER: u32 = 0;

/// A request whose options were read.
#[derive(Clone, Copy, Debug)]
pub struct Asks {
    /// What it is for.
    pub target: Target,
    /// Whether it asks to hear of changes, or to hear no more of them.
    pub watch: Option<bool>,
    /// Which part of its body it bears.
    pub block1: Option<Block>,
    /// Which part of the answer it asks for.
    pub block2: Option<Block>,
    /// How long its body is, if it says so.
    pub size1: Option<u32>,
}

impl Asks {
    /// Reads the options of a request.
    ///
    /// # Errors
    /// The code that says what is wrong.
    pub fn read(view: &View<'_>) -> Result<Self, Code> {
        let mut path: [&[u8]; SEGMENTS] = [&[]; SEGMENTS];
        let (mut segments, mut observe, mut size1) = (0_usize, None, None);
        let (mut block1, mut block2) = (None, None);
        for (option, value) in once(view.options()) {
            match option? {
                number::URI_PATH => {
                    *path.get_mut(segments).ok_or(Code::NOT_FOUND)? = value;
                    segments = segments.saturating_add(1);
                }
                number::CONTENT_FORMAT if uint(value) != Some(CBOR) => return Err(Code::UNSUPPORTED_FORMAT),
                number::ACCEPT if uint(value) != Some(CBOR) => return Err(Code::NOT_ACCEPTABLE),
                number::OBSERVE => observe = uint(value),
                number::BLOCK1 => block1 = Some(Block::read(value).ok_or(Code::BAD_REQUEST)?),
                number::BLOCK2 => block2 = Some(Block::read(value).ok_or(Code::BAD_REQUEST)?),
                number::SIZE1 => size1 = uint(value),
                number::PROXY_URI | number::PROXY_SCHEME => return Err(Code::NO_PROXY),
                // There is one host at one port, whatever it is called.
                number::URI_HOST | number::URI_PORT | number::CONTENT_FORMAT | number::ACCEPT => {}
                unknown if unknown & 1 == 1 => return Err(Code::BAD_OPTION),
                _ => {}
            }
        }
        let target = Target::of(view.code, path.get(..segments).unwrap_or_default())?;
        let has_body = view.code == Code::POST;
        if !has_body && (block1.is_some() || !view.payload.is_empty()) {
            return Err(Code::BAD_REQUEST);
        }
        let watch = observe.filter(|_| target.watch().is_some()).map(|value| value == REGISTER);
        Ok(Self { target, watch, block1, block2, size1 })
    }

    /// The size of the blocks of the answer: 512 bytes unless the client asks for another.
    pub fn exponent(&self) -> u8 {
        self.block2.map_or(SMALL_BLOCK, |block| block.exponent)
    }
}

/// The options, of which those that may stand once are read once: the second is taken as one that is not known
/// (RFC 7252 § 5.4.5).
fn once<'a>(options: Options<'a>) -> impl Iterator<Item = (Result<u16, Code>, &'a [u8])> {
    let mut last = None;
    options.filter_map(move |(option, value)| {
        let is_second = last.replace(option) == Some(option) && option != number::URI_PATH;
        match option {
            _ if !is_second => Some((Ok(option), value)),
            odd if odd & 1 == 1 => Some((Err(Code::BAD_OPTION), value)),
            _ => None,
        }
    })
}
