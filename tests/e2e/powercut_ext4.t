#!/bin/sh
# The queue on ext4 that loses power; powercut.sh says how.
. "${0%/*}/powercut.sh"
cut_power ext4 24 ,commit=300 '' mkfs.ext4 -q -F -J size=4
