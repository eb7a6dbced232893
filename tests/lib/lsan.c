/*
 * lsan.c - leaks that are not ours: libgit2 1.5 forgets what it matched configuration names with.
 */
#if defined(__SANITIZE_ADDRESS__)
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8\n";
}
#else
typedef int not_empty; /* without the sanitizer there is nothing to say */
#endif
