"""What reaches people and machines by itself: notifications and schedules."""
