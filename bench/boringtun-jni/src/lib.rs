//! boringtun's own JNI functions, as a library that Java can load.
use boringtun as _;
