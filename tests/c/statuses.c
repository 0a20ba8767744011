/* The last test: there is no status that no test has seen. */
#include "check.h"

#include <stdio.h>

TEST(every_status_was_provoked)
{
    int32_t status;
    int unseen = 0;
    /* Those that have a text of their own are those there are. */
    for (status = -128; status <= 128; status++) {
        if (strcmp(underpass_strerror(status), underpass_strerror(INT32_MIN)) == 0) continue;
        if (check_was_seen(status)) continue;
        printf("\n  never seen: %ld (%s)", (long)status, underpass_strerror(status));
        unseen++;
    }
    EQ(unseen, 0);
}

const check_test statuses_tests[] = { ENTRY(every_status_was_provoked), LAST_ENTRY };
