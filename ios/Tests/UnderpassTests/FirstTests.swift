import Testing
import Underpass

@Test func libraryHasAVersion() { #expect(!libraryVersion.isEmpty) }
