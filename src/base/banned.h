#ifndef NIGHTMAIL_BASE_BANNED_H
#define NIGHTMAIL_BASE_BANNED_H

/*
 * Functions that have a better twin here. Using one is a compile error. Every base header
 * includes this file, so every source file sees it. The system headers that declare them
 * come first here, so that a source file may include its own header before them.
 */

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With fortification some of them are macros. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef alloca

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok strtok_r gets
#pragma GCC poison atoi atol atof gmtime localtime ctime asctime tmpnam mktemp
#pragma GCC poison system popen alloca

#endif
