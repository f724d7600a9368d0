/* standalone.c - replays files through a fuzz target without libFuzzer: link it with one target. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long size;
    int ok;

    if (!file) {
        perror(path);
        return 0;
    }
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    /* not a byte more, so that reading beyond the end is noticed */
    data = malloc(size > 0 ? (size_t)size : 1);
    ok = data && size >= 0 && fread(data, 1, (size_t)size, file) == (size_t)size;
    fclose(file);
    if (ok) {
        LLVMFuzzerTestOneInput(data, (size_t)size);
    }
    free(data);
    return ok;
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (!replay(argv[i])) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
    }
    printf("%d files replayed\n", argc - 1);
    return 0;
}
