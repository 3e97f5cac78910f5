/* Macros of libraries, for cppcheck, which does not read the headers of the system. */
#define json_array_foreach(array, i, value) \
	for ((i) = 0; ((value) = json_array_get(array, i)); (i)++)
