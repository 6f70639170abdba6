/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The secret that the user of a physical function shares with the users of its virtual ones: a PF can
 * take its VFs' data away or reset them, so each side must want the other.  As on Linux: a VF is opened
 * only with its PF's token ("BDF vf_token=UUID"); a PF has none until
 * who opens it gives one, which counts while no VF is open, and must be given again while one is.
 *
 * token_lock guards all tokens and their users. It is taken inside of any device's lock.
 */
#include <ctype.h>

#include "passthrough/private.h"

#define OPTION "vf_token="

static struct mutex token_lock = MUTEX_INIT(token_lock);

/* 8-4-4-4-12 hexadecimal digits, made lower-case. */
static bool uuid_parse(const char *s, char uuid[VFIO_TOKEN])
{
	for (unsigned i = 0; i < VFIO_TOKEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
		uuid[i] = (char)(s[i] | 32); /* '-' and digits have the bit */
	}
	return true;
}

static struct vfio_device *pf_of(const struct vfio_device *v)
{
	return v->pci->pf ? v->pci->pf->driver : v->pci->sriov ? (struct vfio_device *)v : NULL;
}

static int token_check(struct vfio_device *v, struct vfio_device *pf, const char *uuid)
{
	bool same = uuid && !memcmp(uuid, pf->token, sizeof(pf->token));

	if (pf == v && !pf->token_users) {
		if (uuid)
			memcpy(pf->token, uuid, sizeof(pf->token));
		return 0;
	}
	return same ? 0 : refuse(-EACCES, "%s: give the token of the physical function: \"%s " OPTION "UUID\"", v->pci->name,
				 v->pci->name);
}

int vfio_token_check(struct vfio_device *v, const char *option)
{
	struct vfio_device *pf = pf_of(v);
	char uuid[VFIO_TOKEN];
	bool given;

	option += strspn(option, " ");
	given = *option;
	if (given && (strncmp(option, OPTION, strlen(OPTION)) || !uuid_parse(option + strlen(OPTION), uuid) ||
		      option[strlen(OPTION) + VFIO_TOKEN + strspn(option + strlen(OPTION) + VFIO_TOKEN, " ")]))
		return refuse(-EINVAL, "%s: '%s' is not " OPTION "UUID", v->pci->name, option);
	if (!pf)
		return given ? refuse(-EINVAL, "%s is neither a physical nor a virtual function", v->pci->name) : 0;
	guard_mutex(&token_lock);
	return token_check(v, pf, given ? uuid : NULL);
}

void vfio_token_use(struct vfio_device *v, bool open)
{
	struct vfio_device *pf = pf_of(v);

	if (!pf || pf == v)
		return;
	guard_mutex(&token_lock);
	pf->token_users += open ? 1 : -1u;
}
