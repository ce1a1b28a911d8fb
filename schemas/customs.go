package schemas

// CustomsUnion are the states between which goods pass no customs, by their
// ISO 3166-1 codes: the 27 members of the European Union and Monaco.
const CustomsUnion = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK"
