/* wyoming_info.h - what this server is, in the words of the Wyoming protocol. */
#ifndef SERVER_WYOMING_INFO_H
#define SERVER_WYOMING_INFO_H

#include <jansson.h>

struct service;

/* The data of an event `info`; NULL: no memory, or the default model cannot be had. */
json_t *wyoming_info(struct service *service);

#endif
