#include "tests/support/vectors.h"

#include "tests/support/hex.h"
#include "tests/support/test.h"

json_t *vectors_load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

static size_t bytes_of(uint8_t *out, size_t cap, const json_t *value)
{
    assert_true(json_is_string(value));
    return unhex(out, cap, json_string_value(value));
}

size_t vector_bytes(uint8_t *out, size_t cap, const json_t *object, const char *key)
{
    return bytes_of(out, cap, json_object_get(object, key));
}

size_t vector_bytes_at(uint8_t *out, size_t cap, const json_t *array, size_t i)
{
    return bytes_of(out, cap, json_array_get(array, i));
}

uint64_t vector_int(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_integer(value) && json_integer_value(value) >= 0);
    return (uint64_t)json_integer_value(value);
}
