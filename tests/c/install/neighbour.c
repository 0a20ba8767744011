/* The library and another one written in Rust, in one program. */
#include <stdint.h>
#include <underpass.h>

uint32_t neighbour_twice(uint32_t number);

int main(void)
{
    return underpass_version() == UNDERPASS_VERSION && neighbour_twice(21) == 42 ? 0 : 1;
}
