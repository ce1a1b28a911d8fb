package world

// place is where a scan happens.
type place struct {
	country  string // ISO 3166-1 alpha-2
	alpha3   string
	name     string // of the country
	city     string
	region   string
	postcode string
	area     string // DHL service area
	zone     zone
}

// market is a destination country and the places in it.
type market struct {
	country  string
	lastMile feed
	promise  int64 // days from order to delivery
	places   []uint8
	gateways []uint8
}

// places are towns; no street and no person is in the world.
var places = [...]place{
	{"CN", "CHN", "China", "Shenzhen", "Guangdong", "518000", "SZX", zoneChina},
	{"CN", "CHN", "China", "Guangzhou", "Guangdong", "510000", "CAN", zoneChina},
	{"CN", "CHN", "China", "Yiwu", "Zhejiang", "322000", "YIW", zoneChina},
	{"CN", "CHN", "China", "Hangzhou", "Zhejiang", "310000", "HGH", zoneChina},
	{"CN", "CHN", "China", "Xiamen", "Fujian", "361000", "XMN", zoneChina},

	{"US", "USA", "United States", "JAMAICA", "NY", "11430", "JFK", zoneEastern}, // 5
	{"US", "USA", "United States", "NEWARK", "NJ", "07114", "EWR", zoneEastern},
	{"US", "USA", "United States", "TAMPA", "FL", "33605", "TPA", zoneEastern},
	{"US", "USA", "United States", "ALBANY", "NY", "12207", "ALB", zoneEastern},
	{"US", "USA", "United States", "CHICAGO", "IL", "60666", "ORD", zoneCentral}, // 9
	{"US", "USA", "United States", "HOUSTON", "TX", "77002", "IAH", zoneCentral},
	{"US", "USA", "United States", "DENVER", "CO", "80216", "DEN", zoneMountain},
	{"US", "USA", "United States", "LOS ANGELES", "CA", "90045", "LAX", zonePacific}, // 12
	{"US", "USA", "United States", "SEATTLE", "WA", "98108", "SEA", zonePacific},

	{"GB", "GBR", "United Kingdom", "Slough", "", "SL3 0EG", "LHR", zoneLondon}, // 14
	{"GB", "GBR", "United Kingdom", "Leeds", "", "LS10 1JR", "LBA", zoneLondon},
	{"GB", "GBR", "United Kingdom", "Bristol", "", "BS11 8AA", "BRS", zoneLondon},
	{"GB", "GBR", "United Kingdom", "Norwich", "", "NR6 6BQ", "NWI", zoneLondon},

	{"ES", "ESP", "Spain", "Madrid", "", "28042", "MAD", zoneBerlin}, // 18
	{"ES", "ESP", "Spain", "Barcelona", "", "08040", "BCN", zoneBerlin},
	{"ES", "ESP", "Spain", "Valencia", "", "46024", "VLC", zoneBerlin},

	{"DE", "DEU", "Germany", "Leipzig", "", "04435", "LEJ", zoneBerlin}, // 21
	{"DE", "DEU", "Germany", "Cologne", "", "51147", "CGN", zoneBerlin},
	{"DE", "DEU", "Germany", "Hamburg", "", "22525", "HAM", zoneBerlin},

	{"CA", "CAN", "Canada", "MISSISSAUGA", "ON", "L4W1S2", "YYZ", zoneEastern}, // 24
	{"CA", "CAN", "Canada", "OTTAWA", "ON", "K1G4B3", "YOW", zoneEastern},
	{"CA", "CAN", "Canada", "LAVAL", "QC", "H7L3W9", "YMX", zoneEastern},
	{"CA", "CAN", "Canada", "RICHMOND", "BC", "V6X3T7", "YVR", zonePacific},

	{"TH", "THA", "Thailand", "Bangkok", "", "10110", "BKK", zoneThailand}, // 28
	{"TH", "THA", "Thailand", "Chiang Mai", "", "50200", "CNX", zoneThailand},
}

const chinesePlaces = 5

// The promises are those of trade articles, in calendar days; 7 where none is
// named.
var markets = [...]market{
	{"US", usps, 7, []uint8{6, 7, 8, 9, 10, 11, 12, 13}, []uint8{5, 9, 12}},
	{"GB", royalmail, 5, []uint8{15, 16, 17}, []uint8{14}},
	{"ES", dhlExpress, 7, []uint8{19, 20}, []uint8{18}},
	{"DE", dhlExpress, 7, []uint8{22, 23}, []uint8{21}},
	{"CA", canadapost, 7, []uint8{25, 26, 27}, []uint8{24}},
	{"TH", noFeed, 3, []uint8{29, 28}, []uint8{28}},
}

const (
	marketUS = 0
	marketGB = 1
)

// easternUS are the places of parcels that USPS answers for in XML: that
// format names no zone, and a reader can only assume the Eastern one or look
// up the state.
var easternUS = [...]uint8{6, 7, 8}
