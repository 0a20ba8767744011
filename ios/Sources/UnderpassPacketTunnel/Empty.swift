import Underpass
