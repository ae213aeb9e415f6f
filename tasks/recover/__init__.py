"""Steps that give back what containment took away; nothing is planned unless somebody asked for it."""
