/// The client library of hmacd. hmacd/webhook.h, hmacd/jwt.h and hmacd/fake.h are separate.
#pragma once

#include "hmacd/client.h"
