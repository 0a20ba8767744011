/* Faults on purpose, one for each argument: tests/c/run.sh makes sure that its tools notice them. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    scene scene;
    underpass_slot slot;
    const char *fault = argc > 1 ? argv[1] : "none";
    char text[UNDERPASS_BASE64_LEN];
    uint8_t *key = calloc(1, 32);
    int status = 0;
    if (key == NULL) return 2;
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 100, 0);
    if (strcmp(fault, "c-overflow") == 0) {
        /* A byte behind the buffer, written here. */
        slot.buf[slot.cap] = 1;
    } else if (strcmp(fault, "library-overflow") == 0) {
        /* Bytes behind the buffer, written by the library, which believes the caller. */
        memmove(slot.buf + UNDERPASS_TAILROOM, slot.buf, slot.cap - UNDERPASS_TAILROOM);
        slot.cap += UNDERPASS_TAILROOM;
        slot.start += UNDERPASS_TAILROOM;
        status = underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1);
    } else if (strcmp(fault, "library-overread") == 0) {
        key = realloc(key, 16);
        status = key == NULL ? 2 : underpass_key_to_base64(key, text, sizeof text);
    } else if (strcmp(fault, "leak") == 0) {
        scene.left.tunnel = NULL;
    } else if (strcmp(fault, "freed") == 0) {
        OK(underpass_tunnel_free(scene.left.tunnel));
        status = underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer);
        scene.left.tunnel = NULL;
    } else if (strcmp(fault, "undefined") == 0) {
        volatile int greatest = 0x7fffffff;
        status = greatest + argc;
    }
    free(slot.buf);
    free(key);
    scene_close(&scene);
    printf("%d\n", (int)status);
    return 0;
}
